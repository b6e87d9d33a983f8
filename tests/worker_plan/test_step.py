"""A step: what follows from what it reads, the order of what it writes, its door to the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from model_gateway import beside
from model_gateway.beside import door_for
from model_gateway.call import Ask, Call
from model_gateway.door import VARIABLE
from model_gateway.errors import DoorError
from tests.waiting import until
from tests.worker_plan.conftest import FAILED, Scripted, names_in, rows
from worker_plan.artifact import Artifact, text
from worker_plan.errors import ArtifactError, StepError
from worker_plan.shapes import each
from worker_plan.step import Detail, Step, Written, needed


class Short(BaseModel):
    """A reply."""

    topic: str = ""


def question(number: int = 1) -> Call[Short]:
    """Return a call."""
    return Call(key=f"k{number}", system="Name the topic.", user=f"Plan {number}.", schema=Short)


class First(Step):
    """Writes two artifacts that others read."""

    raw = text("1-raw.txt")
    clean = text("2-clean.txt")

    def work(self, ask: Ask) -> Iterator[Written]:
        """Write both."""
        yield self.raw, "raw"
        yield self.clean, "clean"


class Second(Step):
    """Reads one of them."""

    source = First.clean.input
    out = text("3-out.txt")

    def work(self, ask: Ask) -> Iterator[Written]:
        """Copy it."""
        yield self.out, self.source + "!"


class Third(Step):
    """Reads from two steps, two artifacts of one of them."""

    second = Second.out.input
    raw = First.raw.input
    clean = First.clean.input
    out = text("4-out.txt")


class Broken(Step):
    """Fails between its artifacts."""

    raw = text("5-raw.txt")
    clean = text("6-clean.txt")

    def work(self, ask: Ask) -> Iterator[Written]:
        """Write the first one."""
        yield self.raw, "raw"
        raise StepError("no more")


class Asking(Step):
    """Calls a model many times at once, and notes what was there before the first call."""

    out = text("7-out.txt")

    def work(self, ask: Ask) -> Iterator[Written]:
        """Ask."""
        before = (Path(self.run_dir) / ".gateway").exists()
        replies = each(ask, [question(number) for number in range(8)])
        yield self.out, f"{before} {sum(reply.value is not None for reply in replies)}"


class AskingTwice(Step):
    """Calls a model twice; in between, the environment names another door."""

    out = text("8-out.txt")

    def work(self, ask: Ask) -> Iterator[Written]:
        """Ask."""
        answered = [ask(question(1)).value]
        os.environ[VARIABLE] = "/another/door"
        answered.append(ask(question(2)).value)
        yield self.out, str(len([value for value in answered if value is not None]))


def test_what_comes_before_follows_from_what_is_read(tmp_path: Path) -> None:
    """The owners of the inputs are required, each once, with the same parameters."""
    task = Third(run_dir=str(tmp_path), models=("m",), detail=Detail.PING_LLM)
    assert task.requires() == [
        Second(run_dir=str(tmp_path), models=("m",), detail=Detail.PING_LLM),
        First(run_dir=str(tmp_path), models=("m",), detail=Detail.PING_LLM),
    ]
    assert First(run_dir=str(tmp_path)).requires() == []


def test_inputs_are_just_what_is_read(tmp_path: Path) -> None:
    """A step that reads one of two artifacts has one input, although its owner writes two."""
    task = Second(run_dir=str(tmp_path))
    assert list(task.input()) == ["2-clean.txt"]
    assert task.input()["2-clean.txt"].path == str(tmp_path / "2-clean.txt")
    assert list(Third(run_dir=str(tmp_path)).input()) == ["3-out.txt", "1-raw.txt", "2-clean.txt"]


def test_declared_outputs_keep_their_order(tmp_path: Path) -> None:
    """The cleaned form comes last, as it was declared."""
    assert [artifact.name for artifact in First.writes()] == ["1-raw.txt", "2-clean.txt"]
    assert list(First(run_dir=str(tmp_path)).output()) == ["1-raw.txt", "2-clean.txt"]


def test_outputs_are_saved_one_after_the_other(tmp_path: Path) -> None:
    """What came before a failure is there; the step is not complete without its last artifact."""
    task = Broken(run_dir=str(tmp_path))
    with pytest.raises(StepError, match="no more"):
        task.run()
    assert names_in(tmp_path) == ["5-raw.txt"]
    assert not task.complete()


def test_run_reads_and_writes(tmp_path: Path) -> None:
    """A task run by itself reads what is there, and runs nothing upstream."""
    First.clean.save(tmp_path, "bread")
    Second(run_dir=str(tmp_path)).run()
    assert Second.out.load(tmp_path) == "bread!"
    assert names_in(tmp_path) == ["2-clean.txt", "3-out.txt"]


def test_complete_step_does_nothing(tmp_path: Path) -> None:
    """What is there is neither read again nor written again."""
    Second.out.save(tmp_path, "from before")
    Second(run_dir=str(tmp_path)).run()
    assert Second.out.load(tmp_path) == "from before"


def test_half_written_step_is_done_again(tmp_path: Path) -> None:
    """With one of two artifacts missing both are written."""
    First.raw.save(tmp_path, "from before")
    First(run_dir=str(tmp_path)).run()
    assert First.raw.load(tmp_path) == "raw"


def test_missing_input_stops_the_step(tmp_path: Path) -> None:
    """The message names the artifact and the step that writes it."""
    with pytest.raises(ArtifactError, match=r"2-clean\.txt is missing.*First"):
        Second(run_dir=str(tmp_path)).run()


def test_steps_without_calls_open_no_door(tmp_path: Path) -> None:
    """No gateway is started for a step that asks nothing."""
    First(run_dir=str(tmp_path), models=("no such model",)).run()
    assert names_in(tmp_path) == ["1-raw.txt", "2-clean.txt"]


def test_door_is_opened_at_the_first_call_and_once(tmp_path: Path) -> None:
    """Eight threads that call at once share one door, which closes with the step."""
    try:
        Asking(run_dir=str(tmp_path), models=("sim",)).run()
        assert Asking.out.load(tmp_path) == "False 8"
        assert {row["cell"] for row in rows(tmp_path)} == {"Asking"}
        with door_for("after", ["sim"], tmp_path) as door:
            folder = door._path.parent
            # Doors are numbered as they are opened.
            assert door._path.name == "2"
            until(lambda: not (folder / "1").exists())
    finally:
        beside.stop(tmp_path)


def test_door_stays_the_same_for_all_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call opens no other door."""
    run_dir = tmp_path / "plan"
    run_dir.mkdir()
    with door_for("AskingTwice", ["sim"], tmp_path) as door:
        monkeypatch.setenv(VARIABLE, str(door._path))
        AskingTwice(run_dir=str(run_dir)).run()
    beside.stop(tmp_path)
    assert AskingTwice.out.load(run_dir) == "2"


def test_door_that_is_not_there_stops_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written when the gateway cannot be reached."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nobody"))
    with pytest.raises(DoorError, match="nobody"):
        AskingTwice(run_dir=str(tmp_path)).run()
    assert names_in(tmp_path) == []


def test_needed_value_is_returned() -> None:
    """A reply that holds a value gives it."""
    assert needed(Scripted(lambda _: {"topic": "x"})(question())) == Short(topic="x")


def test_needed_value_that_is_missing_is_reported() -> None:
    """The message names the model and the failure."""
    with pytest.raises(StepError, match="scripted gave no usable reply: server: the model is down"):
        needed(Scripted(lambda _: FAILED)(question()))


def test_heirs_of_a_step_read_and_write_what_it_does() -> None:
    """Declarations are inherited, the base's first."""

    class Heir(Second):
        more = text("9-more.txt")

    assert [artifact.name for artifact in Heir.writes()] == ["3-out.txt", "9-more.txt"]
    assert Heir.reads() == [First.clean]


def test_declarations_are_objects_of_the_class() -> None:
    """Looking a declaration up on the class reads nothing."""
    artifact: Any = Second.out
    assert isinstance(artifact, Artifact)
