"""A scripted model, a plan that was finished for real, and the facts recorded about such plans."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_gateway import beside
from model_gateway.call import Call, Failure, FailureKind, R, Reply
from model_gateway.config import CONFIG_DIR_VARIABLE
from model_gateway.door import VARIABLE
from model_gateway.replies import parse
from worker_plan.step import Step
from worker_plan.steps.setup import Setup

SHARED = Path(__file__).parents[3] / "shared"
PLAN = "A bakery on a canal boat: bread for the villages along 40 km of towpath."
FAILED = Failure(kind=FailureKind.server, message="the model is down")
ATTEMPTS = Path(".gateway/attempts.jsonl")


class Scripted:
    """Plays a model: answers what `answer` gives for a call, and keeps the calls.

    An answer is text, JSON values, or a failure; text is read as the gateway's client reads it.
    """

    def __init__(self, answer: Callable[[Call[Any]], Any]) -> None:
        self._answer = answer
        self.calls: list[Call[Any]] = []

    def __call__(self, call: Call[R]) -> Reply[R]:
        """Answer `call`."""
        self.calls.append(call)
        said = self._answer(call)
        if isinstance(said, Failure):
            return Reply(value=None, text="", model="scripted", failure=said, seconds=0.5)
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        parsed = parse(text, call.schema, cut_off=False, last=True)
        return Reply(
            value=parsed.value, text=text, model="scripted",
            failure=parsed.failure, partial=parsed.partial, seconds=0.5,
        )  # fmt: skip

    @property
    def sent(self) -> str:
        """Everything that was sent, in one text."""
        return "\n".join(f"{call.system}\n{call.user}" for call in self.calls)


def carry_out(step: Step, ask: Scripted) -> dict[str, Any]:
    """Do the work of `step` with `ask` for its model; return what it wrote, by artifact name."""
    written = {}
    for artifact, value in step.work(ask):
        artifact.save(Path(step.run_dir), value)
        written[artifact.name] = artifact.load(Path(step.run_dir))
    return written


def shared(*parts: str) -> Path:
    """Return a file of ../shared, or skip the test where it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"../shared/{'/'.join(parts)} is not beside this checkout")
    return path


def names_in(folder: Path) -> list[str]:
    """Return the names of all files and folders in `folder`, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def rows(run_dir: Path) -> list[dict[str, Any]]:
    """Return the rows of the attempts that were made for a plan."""
    return [json.loads(line) for line in (run_dir / ATTEMPTS).read_text().splitlines()]


def set_apart(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Take this machine's settings, cache and doors out of the environment."""
    for name in [n for n in os.environ if n == VARIABLE or n.startswith("PLUMBLINE_")]:
        patch.delenv(name)
    patch.setenv("PLUMBLINE_CACHE", "off")
    patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    (home / "llm_config").mkdir()
    patch.setenv(CONFIG_DIR_VARIABLE, str(home / "llm_config"))


@pytest.fixture(autouse=True)
def llm_config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory for a test's own models, in an environment of its own."""
    home = tmp_path_factory.mktemp("home")
    set_apart(monkeypatch, home)
    return home / "llm_config"


def command(*arguments: str) -> list[str]:
    """Return the command line of a `python -m worker_plan` of its own."""
    return [sys.executable, "-m", "worker_plan", *arguments]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plan that the command line finished on a simulated model."""
    home = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        set_apart(patch, home)
        run_dir = home / "boat"
        arguments = ["run", "--plan", PLAN, "--model", "sim", "--run-dir", str(run_dir)]
        done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        beside.stop(run_dir)
    return run_dir


@pytest.fixture
def a_copy(finished: Path, tmp_path: Path) -> Callable[[type[Step]], Step]:
    """Return what makes a step's task on a copy of the finished plan, its outputs taken away."""

    def make(kind: type[Step]) -> Step:
        run_dir = tmp_path / "copy"
        shutil.rmtree(run_dir, ignore_errors=True)
        shutil.copytree(finished, run_dir, ignore=shutil.ignore_patterns(".gateway"))
        for artifact in kind.writes():
            (run_dir / artifact.name).unlink(missing_ok=True)
        return kind(run_dir=str(run_dir))

    return make


@pytest.fixture
def replayed(finished: Path) -> Callable[[type[Step]], Scripted]:
    """Return what makes a model for a step: it says what the simulated one said."""

    def make(kind: type[Step]) -> Scripted:
        texts = {row["key"]: row["text"] for row in rows(finished) if row["cell"] == kind.__name__}
        return Scripted(lambda call: texts[call.key])

    return make


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a plan directory that holds just the plan text."""
    path = tmp_path / "plan"
    path.mkdir()
    Setup.plan.save(path, PLAN)
    return path
