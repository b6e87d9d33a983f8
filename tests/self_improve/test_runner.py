"""The runner as a user meets it: what it records, what it refuses, how it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prompt_lab.record import Run, changed_since_done
from tests.self_improve.commands import only_run, run_apart, runs, sent
from tests.self_improve.lab import (  # fmt: skip
    KEY,
    ONE_CALL,
    PLANS,
    STEP,
    Lab,
    asked,
    laboratory,
    levers,
    plan_of,
    purpose,
)
from tests.waiting import stretched
from tests.wire.script import Hang, Say, Seen, Status, Step
from tests.wire.server import WireServer


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A laboratory with three plans."""
    with laboratory(tmp_path, monkeypatch) as package:
        yield package


def test_a_run_records_what_evidence_needs(lab: Lab) -> None:
    """Code, prompts, model, arguments, inputs, seed, packages, attempts and digests are there."""
    with WireServer("openai", reply=levers) as server:
        lab.entry("m1", server, arguments={"temperature": 0.7})
        ran = lab.run(step=STEP)
    assert ran.code == 0, ran.err
    run = only_run(lab.output)
    meta = run.meta
    assert meta["step"] == STEP
    assert meta["model"]["primary"] == "m1"
    assert meta["model"]["id"] == "wire-m1"
    assert meta["model"]["arguments"] == {"temperature": 0.7}
    assert len(meta["system_prompt_sha256"]) == 64
    assert set(meta["code"]) == {"commit", "branch", "dirty", "digest"}
    assert set(meta["inputs"]) == set(PLANS)
    assert set(meta["inputs"]["boat"]) == {
        "001-2-plan.txt", "002-6-identify_purpose.md", "002-8-plan_type.md",
    }  # fmt: skip
    assert meta["speed"] == "ALL_DETAILS_BUT_SLOW"
    assert meta["seed"] == 1
    assert {"luigi", "pydantic", "openai", "plumbline"} <= set(meta["packages"])
    rows = run.rows()
    assert set(rows) == {(plan, 0) for plan in PLANS}
    row = rows["boat", 0]
    assert (row["status"], row["error"], row["calls_succeeded"]) == ("ok", None, 3)
    assert (row["calls"], row["attempts"], row["input_tokens"]) == (3, 3, 33)
    assert row["cost_usd"] == pytest.approx(3 * (11 * 1 + 7 * 2) / 1e6)
    assert set(row["outputs"]) == {
        "002-9-potential_levers_raw.json", "002-10-potential_levers.json",
    }  # fmt: skip
    attempts = run.attempts()
    assert len(attempts) == 9
    assert all(a.messages and a.schema and a.text and a.source == "network" for a in attempts)
    surfaces = {row["id"].split(":")[1]: row for row in run.surfaces()["surfaces"]}
    assert surfaces["LEVERS_SYSTEM_PROMPT"]["sent"]
    assert surfaces["ProposedLever.name"]["sent"]
    assert run.surfaces()["unmatched"] == {"descriptions": [], "system_messages": []}
    done = run.done()
    assert done is not None
    assert done["cells"] == {"ok": 3, "failed": 0, "partial": 0, "not_run": []}
    assert changed_since_done(run) == []
    assert {"outputs/boat/002-10-potential_levers.json", "meta.json", "attempts.jsonl"} <= set(
        done["digests"]
    )


def test_the_files_of_older_records_are_there_with_their_rows(lab: Lab) -> None:
    """Existing readers find the names and keys they know."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.run()
    run = only_run(lab.output)
    assert run.path.parent.name == "0"
    assert run.path.name == f"00_{ONE_CALL}"
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    names = [event["event"] for event in events]
    assert names.count("run_single_plan_start") == 3
    assert names.count("run_single_plan_complete") == 3
    assert {"timestamp", "event", "plan_name", "duration_seconds"} <= set(
        next(e for e in events if e["event"] == "run_single_plan_complete")
    )
    usage = (run.outputs("boat") / "usage_metrics.jsonl").read_text().splitlines()
    assert {"timestamp", "success", "model", "duration_seconds", "input_tokens"} <= set(
        json.loads(usage[0])
    )
    overview = json.loads((run.path / "activity_overview.json").read_text())
    assert overview["total_input_tokens"] == 33
    assert sum(model["calls"] for model in overview["models"].values()) == 3


def test_a_failed_cell_is_a_result_and_costs_its_neighbours_nothing(lab: Lab) -> None:
    """The exit code is 1, the row says why, and what it left is kept."""

    def reply(seen: Seen) -> Step:
        if seen.schema is not None and plan_of(seen) == "moor":
            return Status(code=500)
        return purpose(seen)

    with WireServer("openai", reply=reply) as server:
        lab.entry("m1", server)
        ran = lab.run()
    assert ran.code == 1
    assert "1 failed" in ran.out
    run = only_run(lab.output)
    rows = run.rows()
    assert rows["boat", 0]["status"] == rows["radio", 0]["status"] == "ok"
    failed = rows["moor", 0]
    assert (failed["status"], failed["failure_kind"], failed["attempts"]) == ("error", "server", 3)
    assert "500" in failed["error"]
    assert str(lab.place) not in json.dumps(failed)
    assert (run.path / "failed" / "moor" / "0" / "trace.txt").is_file()
    assert not run.outputs("moor").exists()
    assert run.done() is None


def test_a_hung_cell_is_killed_at_its_limit_and_nobody_waits_for_it(lab: Lab) -> None:
    """Wall time stays near the limit, and the other cells have their results."""

    def reply(seen: Seen) -> Step:
        return Hang() if seen.schema is not None and plan_of(seen) == "boat" else purpose(seen)

    with WireServer("openai", reply=reply) as server:
        lab.entry("m1", server, attempt_seconds=600, deadline_seconds=600)
        began = time.monotonic()
        ran = lab.run("--timeout", f"{stretched(2):g}")
        wall = time.monotonic() - began
    assert ran.code == 1
    assert wall < 600
    rows = only_run(lab.output).rows()
    assert rows["boat", 0]["failure_kind"] == "timeout"
    assert rows["moor", 0]["status"] == rows["radio", 0]["status"] == "ok"
    [cut] = [a for a in only_run(lab.output).attempts() if a.cell == "boat"]
    assert cut.status == "cancelled"


def test_a_candidates_text_is_what_is_sent(lab: Lab, tmp_path: Path) -> None:
    """The replaced constant reaches the model, and the run says that it did."""
    file = tmp_path / "prompt.txt"
    file.write_text('Sort it. """ {not_a_field} \\ ü')
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        ran = lab.run("--prompt", f"IDENTIFY_PURPOSE_SYSTEM_PROMPT={file}")
    assert ran.code == 0
    run = only_run(lab.output)
    assert {seen.messages[0]["content"] for seen in asked(server)} == {file.read_text()}
    [row] = [row for row in run.surfaces()["surfaces"] if row["candidate"]]
    assert row["sent"]
    assert row["text"] == file.read_text()
    assert any(file.read_text() == text for text in sent(run))


def test_repeats_lie_apart_and_have_seeds_of_their_own(lab: Lab) -> None:
    """Each repeat has its directory, its row and its seed, and the server gets the seed."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server, sends_seed=True)
        lab.run("--repeats", "2")
    run = only_run(lab.output)
    rows = run.rows()
    assert len(rows) == 6
    assert (run.path / "outputs" / "boat" / "002-6-identify_purpose.md").is_file()
    assert (run.path / "repeats" / "1" / "boat" / "002-6-identify_purpose.md").is_file()
    seeds = {row["seed"] for row in rows.values()}
    assert len(seeds) == 6
    assert {seen.body["seed"] for seen in asked(server)} == seeds


def test_repeats_beyond_all_memory_are_refused(lab: Lab) -> None:
    """No list of a thousand million cells is made, not even to estimate their cost."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        ran = lab.run("--repeats", "1000000000")
    assert ran.code == 2
    assert "3000000000 cells" in ran.err
    assert asked(server) == []


def test_a_fallback_answers_only_when_asked_for_and_is_marked(lab: Lab) -> None:
    """Its cells are ok and marked, and the run is not evidence."""
    with (
        WireServer(
            "openai", reply=lambda s: Say(text="1") if s.schema is None else Status(code=500)
        ) as broken,
        WireServer("openai", reply=purpose) as whole,
    ):
        lab.entry("m1", broken, max_attempts=2)
        lab.entry("m2", whole)
        alone = lab.run()
        helped = lab.run("--fallback", "m2")
    assert (alone.code, helped.code) == (1, 0)
    run = runs(lab.output)[-1]
    assert all(row["fallback"] for row in run.rows().values())
    done = run.done()
    assert done is not None
    assert done["evidence"]["kind"] == "historical"
    assert any("fallback" in reason for reason in done["evidence"]["reasons"])


def test_a_matrix_is_one_run_per_model(lab: Lab) -> None:
    """Two models, named in either way, give two runs with the same plans."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.entry("m2", server, aliases=["second"])
        ran = lab.run("--models", "second,m1")
    assert ran.code == 0
    assert sorted(run.model for run in runs(lab.output)) == ["m1", "m2"]
    assert [set(run.rows()) for run in runs(lab.output)] == [{(p, 0) for p in PLANS}] * 2


def test_a_dry_run_sends_and_writes_nothing(lab: Lab) -> None:
    """It shows cells, calls and the cost that the prices give."""
    with WireServer("openai", reply=levers) as server:
        lab.entry("m1", server, context_tokens=10)
        dry_run = lab.run("--dry-run", step=STEP)
        as_json = lab.run("--dry-run", "--json", step=STEP)
    assert dry_run.code == as_json.code == 0
    assert server.requests == []
    assert not lab.output.exists()
    assert "3 cells" in dry_run.out
    assert "Nothing was sent" in dry_run.out
    assert "m1: its context of 10 tokens is too small for the prompt on boat, moor, radio" in (
        dry_run.out
    )
    expected = as_json.json
    assert len(expected["too_small"]) == 1
    assert expected["cells"] == 3
    assert expected["calls"] >= 6
    assert expected["dollars"] == pytest.approx(
        (expected["input_tokens"] + 2 * expected["output_tokens"]) / 1e6
    )


def test_cached_replies_cost_nothing_and_are_no_evidence(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run with --cache sends no request for a cell, and says where replies came from."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.run("--cache")
        first = len(asked(server))
        lab.run("--cache", "--new")
        assert len(asked(server)) == first == 3
    run = runs(lab.output)[-1]
    assert all(row["sources"] == ["cache"] for row in run.rows().values())
    assert all(row["cost_usd"] == 0 for row in run.rows().values())
    done = run.done()
    assert done is not None
    assert done["evidence"]["kind"] == "historical"


def test_new_run_on_a_server_that_takes_a_seed_gets_the_next_one(lab: Lab) -> None:
    """Otherwise it would repeat itself; a run that is not finished is resumed with its own seed."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server, sends_seed=True)
        for _ in range(3):
            lab.run("--new", "--seed", "7")
        lab.run("--seed", "8")
        seeds = {request.body["seed"] for request in asked(server)}
    assert [run.meta["seed"] for run in runs(lab.output)] == [7, 8, 9]
    assert len(seeds) == len(asked(server)) == 9


def test_json_tells_runs_rows_and_spending(lab: Lab) -> None:
    """What a program needs is on standard output, and nothing else."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        ran = lab.run("--json")
    [run] = ran.json["runs"]
    assert run["finished"]
    assert {row["name"] for row in run["rows"]} == set(PLANS)
    assert ran.json["spent"]["calls"] == 4  # three cells and the ping
    assert ran.json["left"] == 0


def test_nothing_starts_when_a_server_does_not_answer(lab: Lab) -> None:
    """The exit code is 2, the server is named, and no run is begun."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.entry("m2", server)
    ran = lab.run("--model", "m2")
    assert ran.code == 2
    assert "m1: connection" in ran.err
    assert "m2: connection" in ran.err
    assert runs(lab.output) == []


def test_a_missing_key_names_its_variable(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent without the key."""
    monkeypatch.delenv("LAB_KEY", raising=False)
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server, key_env="LAB_KEY")
        ran = lab.run()
        assert server.requests == []
    assert ran.code == 2
    assert "LAB_KEY is not set" in ran.err


def test_a_key_is_nowhere_in_what_is_recorded_or_reported(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a server that repeats the key in its replies and errors cannot get it into a file."""
    monkeypatch.setenv("LAB_KEY", KEY)

    def reply(seen: Seen) -> Step:
        assert seen.key == KEY
        if seen.schema is not None and plan_of(seen) == "moor":
            return Status(code=500, message=f"your key {KEY} is fine")
        reply = {"topic": KEY, "purpose_detailed": f"It is {KEY}.", "purpose": "business"}
        return Say(text="1") if seen.schema is None else Say(text=json.dumps(reply))

    with WireServer("openai", reply=reply) as server:
        lab.entry("m1", server, key_env="LAB_KEY")
        ran = lab.run()
    assert ran.code == 1
    assert KEY not in ran.out + ran.err
    for path in lab.output.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--step", "identify_purpos", "--model", "m1"], "Did you mean identify_purpose"),
        (["--step", ONE_CALL, "--model", "m11"], "Did you mean m1"),
        (["--step", "setup", "--model", "m1"], "calls no model"),
        (["--step", ONE_CALL, "--model", "m1", "--prompt", "NO_SUCH=x"], "no prompt surface"),
        (["--step", ONE_CALL, "--model", "m1", "--code", "/nowhere"], "no code directory"),
        (["--step", ONE_CALL, "--model", "m1", "--host", "/nowhere/host.toml"], "no host file"),
        (["--step", ONE_CALL, "--model", "m1", "--split", "verify"], "no"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    lab: Lab, words: list[str], message: str
) -> None:
    """The exit code is 2, the message names the thing, and nothing is begun."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
    (lab.plans / "train").mkdir()
    for plan in PLANS:
        (lab.plans / plan).rename(lab.plans / "train" / plan)
    ran = run_apart(*words, "--baseline-dir", lab.plans, output=lab.output)
    assert ran.code == 2, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert runs(lab.output) == []


def test_a_missing_or_broken_artifact_is_refused_by_name(lab: Lab) -> None:
    """All problems of all plans are reported at once, and upstream steps are not run."""
    (lab.plans / "boat" / "002-8-plan_type.md").unlink()
    (lab.plans / "moor" / "002-6-identify_purpose.md").write_bytes(b"\xff\xfe\x00")
    with WireServer("openai", reply=levers) as server:
        lab.entry("m1", server)
        ran = lab.run(step=STEP)
        assert asked(server) == []
    assert ran.code == 2
    assert "boat: 002-8-plan_type.md is missing" in ran.err
    assert "moor: 002-6-identify_purpose.md is not UTF-8" in ran.err


def test_where_to_write_must_be_said(lab: Lab) -> None:
    """Without a data repo the message says how to name or make one."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
    ran = lab.run_nowhere()
    assert ran.code == 2
    assert "PROMPT_LAB_DIR" in ran.err
    assert "init" in ran.err


def test_simulated_results_are_labelled_wherever_they_are_reported(lab: Lab) -> None:
    """The line, the JSON and the record say that it was a simulation."""
    ran = lab.run(model="sim")
    assert ran.code == 0
    assert ran.out.startswith("SIMULATED sim-strong")
    run = only_run(lab.output)
    done = run.done()
    assert done is not None
    assert done["evidence"]["kind"] == "simulated"
    assert lab.run("--json", "--new", model="sim").json["runs"][0]["simulated"] is True


def test_the_recorded_provider_answers_with_a_runs_replies(lab: Lab) -> None:
    """Replaying a run gives the same artifacts, and is not evidence."""
    lab.run(step=STEP, model="sim")
    first = only_run(lab.output)
    ran = lab.run(step=STEP, model=f"recorded:{first.path}")
    assert ran.code == 0, ran.err
    second: Run = runs(lab.output)[-1]
    for plan in PLANS:
        name = "002-10-potential_levers.json"
        assert (second.outputs(plan) / name).read_bytes() == (
            first.outputs(plan) / name
        ).read_bytes()
    done = second.done()
    assert done is not None
    assert done["evidence"]["kind"] == "historical"


def test_no_key_that_stands_in_an_entry_is_recorded(lab: Lab) -> None:
    """Keys under [arguments], and a password in the address, are used and kept out of history."""
    secrets = {"api_key": "sk-argument-0123456789", "top_p": 1}
    with WireServer("openai", reply=purpose) as server:
        url = server.base_url.replace("//", "//me:passw0rd-of-mine@")
        lab.entry("m1", server, base_url=url, arguments=secrets)
        assert lab.run().code == 0
        assert asked(server)[0].body["api_key"] == secrets["api_key"]
    for path in lab.output.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert b"sk-argument" not in data, path
        assert b"passw0rd" not in data, path
    arguments = only_run(lab.output).meta["model"]["arguments"]
    assert arguments == {"api_key": "[key hidden]", "top_p": 1}
