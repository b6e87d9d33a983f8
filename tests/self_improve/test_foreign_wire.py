"""Foreign code on a real server that fails: what is asked is bounded, what hangs is killed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_gateway.config import CONFIG_DIR_VARIABLE
from prompt_lab.record import Run
from tests.self_improve.commands import FOREIGN, Ran, only_run, run, run_apart, runs
from tests.waiting import stretched
from tests.wire import Hang, Say, Seen, Status, Step, WireServer

pytestmark = pytest.mark.xdist_group("foreign_wire")

PLAIN = FOREIGN / "plain_pipeline" / "host.toml"
PLANNING = FOREIGN / "planning_pipeline" / "host.toml"
GOOD = json.dumps({"items": [{"thing": "one ski", "found_at": "a night train"}]})
ENTRY = """\
name = "wired"
provider = "openai"
model_id = "wired-1"
base_url = "{url}"
key_env = "WIRED_KEY"
max_attempts = 2
workers = 8

[price]
input = 1.0
output = 2.0
"""
LEVERS = [{"name": "Route", "options": [{"label": "Left", "price": "Trees."}]}]


def answer(seen: Seen) -> Step:
    """Break down for the plan with a broken bell, hang for the one with a clock, else answer."""
    text = " ".join(message["content"] for message in seen.messages)
    if "a broken bell" in text:
        return Status(code=500, message="the server broke down")
    if "a stopped clock" in text:
        return Hang()
    if "look for its levers" in text:
        fenced = f"Here they are:\n```json\n{json.dumps({'levers': LEVERS})}\n```"
        return Say(text=fenced, input_tokens=100, output_tokens=50)
    return Say(text=GOOD, input_tokens=100, output_tokens=50)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireServer]:
    """Return the server, which the configured model `wired` is at."""
    folder = tmp_path_factory.mktemp("llm_config")
    with WireServer("openai", reply=answer) as wired, pytest.MonkeyPatch.context() as patch:
        text = ENTRY.format(url=wired.base_url)
        (folder / "wired.toml").write_text(text, encoding="utf-8")
        patch.setenv(CONFIG_DIR_VARIABLE, str(folder))
        patch.setenv("WIRED_KEY", "sk-of-the-wire")
        yield wired


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the run with all faults is recorded."""
    return tmp_path_factory.mktemp("wire") / "out"


@pytest.fixture(scope="module")
def limit() -> float:
    """Return the seconds a cell may take: enough for those that are answered."""
    return stretched(3)


@pytest.fixture(scope="module")
def ran(server: WireServer, output: Path, limit: float) -> tuple[Ran, list[Seen]]:
    """Run four plans side by side: two answered, one broken, one hanging."""
    plans = output.parent / "plans"
    shutil.copytree(FOREIGN / "plain_plans", plans)
    for name, thing in (("broken", "a broken bell"), ("hanging", "a stopped clock")):
        (plans / name).mkdir()
        (plans / name / "log.md").write_text(f"- 08:00 {thing}\n", encoding="utf-8")
    before = len(server.requests)
    done = run_apart(
        "--host", PLAIN, "--step", "sort_items", "--model", "wired", "--baseline-dir", plans,
        "--timeout", f"{limit:g}", output=output,
    )  # fmt: skip
    return done, server.requests[before:]


@pytest.fixture(scope="module")
def done(ran: tuple[Ran, list[Seen]], output: Path) -> Run:
    """Return the run."""
    assert ran[0].code == 1, ran[0].err
    return only_run(output)


def asked(requests: list[Seen], thing: str) -> int:
    """Return how many of the requests are about `thing`."""
    return sum(thing in request.messages[-1]["content"] for request in requests)


def test_neighbours_of_failing_cells_finish(done: Run) -> None:
    """A broken and a hanging cell cost nobody else anything."""
    for plan in ("monday", "freitag"):
        row = done.rows()[plan, 0]
        assert row["status"] == "ok"
        assert (row["input_tokens"], row["output_tokens"]) == (100, 50)
        assert row["cost_usd"] == pytest.approx(200e-6)


def test_sdk_retries_do_not_multiply_requests(done: Run, ran: tuple[Ran, list[Seen]]) -> None:
    """The SDK would retry twice; the server sees the gateway's attempts and no more."""
    row = done.rows()["broken", 0]
    assert row["attempts"] == asked(ran[1], "a broken bell") == 2
    assert row["failure_kind"] == "server"
    assert "the server broke down" in row["error"]


def test_hanging_call_is_killed_at_the_deadline_of_its_cell(
    done: Run, ran: tuple[Ran, list[Seen]], server: WireServer, limit: float
) -> None:
    """The cell ends in time, the request is dropped, and its reservation is charged."""
    row = done.rows()["hanging", 0]
    assert row["failure_kind"] == "timeout"
    assert row["error"] == f"killed after {limit:g} s, the time limit of a cell"
    assert limit <= row["duration_seconds"] < limit + stretched(2)
    assert asked(ran[1], "a stopped clock") == 1
    assert server.wait_abandoned(1)
    [attempt] = [attempt for attempt in done.attempts() if attempt.cell == "hanging"]
    assert attempt.status == "cancelled"


def test_key_goes_to_the_server_and_nowhere_else(done: Run, ran: tuple[Ran, list[Seen]]) -> None:
    """The gateway holds the key; the SDK in the cell was given none, and the record has none."""
    assert {request.key for request in ran[1]} == {"sk-of-the-wire"}
    assert {request.body["model"] for request in ran[1]} == {"wired-1"}
    for path in done.path.rglob("*"):
        assert not path.is_file() or b"sk-of-the-wire" not in path.read_bytes()


def test_llama_index_reads_a_real_reply(server: WireServer, tmp_path: Path) -> None:
    """Prose and a code fence around the JSON are for the integration to cope with."""
    before = len(server.requests)
    ran = run(
        "--host", PLANNING, "--step", "potential_levers", "--model", "wired",
        "--plan-dir", FOREIGN / "planning_plans" / "tram", output=tmp_path,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    written = only_run(tmp_path).outputs("tram") / "potential_levers.json"
    assert json.loads(written.read_text(encoding="utf-8")) == LEVERS
    assert len(server.requests) - before == 2  # The ping and the call.


def test_cap_on_requests_stops_foreign_code(server: WireServer, tmp_path: Path) -> None:
    """Cells that find no room under the cap send nothing and stay to be done."""
    before = len(server.requests)
    words = (
        "--host", PLAIN, "--step", "sort_items", "--model", "wired",
        "--baseline-dir", FOREIGN / "plain_plans",
    )  # fmt: skip
    ran = run(*words, "--max-calls", "2", output=tmp_path)
    assert ran.code == 3, ran.err
    assert len(server.requests) - before == 2  # The ping and one of two calls.
    [unfinished] = runs(tmp_path)
    assert len(unfinished.rows()) == 1
    assert run(*words, output=tmp_path).code == 0
    assert only_run(tmp_path).finished


def test_unreachable_server_is_refused_before_anything_runs(
    server: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preflight names the model and what it met; no cell begins."""
    assert os.environ[CONFIG_DIR_VARIABLE]
    monkeypatch.delenv("WIRED_KEY")
    before = len(server.requests)
    ran = run(
        "--host", PLAIN, "--step", "sort_items", "--model", "wired",
        "--baseline-dir", FOREIGN / "plain_plans", output=tmp_path,
    )  # fmt: skip
    assert ran.code == 2
    assert "wired: " in ran.err
    assert "WIRED_KEY is not set" in ran.err
    assert len(server.requests) == before
    assert not any(run.rows() for run in runs(tmp_path))
