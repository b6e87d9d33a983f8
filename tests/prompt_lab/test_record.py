"""Runs in history: begun whole, written once, healed after a kill, and old ones still read."""

from __future__ import annotations

import json
import os
import signal
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_gateway.jsonl import read_rows
from prompt_lab import record
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout, runs
from prompt_lab.record import CELL_ROW, DONE, Evidence, Run, RunWriter
from tests.prompt_lab.conftest import RECORDED

SPECIFICATION = "ab" * 32
META = {"step": "plan_type", "model": {"primary": "haiku", "fallbacks": []}}


def killed_at(count: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that is killed before its write number `count`; say if it was."""
    child = os.fork()
    if child == 0:
        try:
            left = count

            def watch(event: str, arguments: tuple[Any, ...]) -> None:
                nonlocal left
                writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
                if event in {"os.rename", "os.mkdir", "os.remove"} or (
                    event == "open" and arguments[2] & writing
                ):
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(watch)
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def begun(lab: Layout, specification: str = SPECIFICATION) -> RunWriter:
    """Begin a run."""
    return record.begin(lab, "plan_type", specification, META)


def folder_of(lab: Layout, name: str = "cell", content: str = "clean") -> Path:
    """Return a directory with what a cell left."""
    folder = lab.scratch / name
    folder.mkdir(parents=True)
    (folder / "002-8-plan_type.md").write_text(content)
    return folder


def row(plan: str = "silo", repeat: int = 0, **more: Any) -> dict[str, Any]:
    """Return the row of a cell."""
    return {"name": plan, "repeat": repeat, "status": "ok", "error": None, **more}


@pytest.fixture
def writer(lab: Layout) -> RunWriter:
    """Return the writer of a new run."""
    return begun(lab)


def test_run_begins_with_its_intent(lab: Layout) -> None:
    """The directory is there with its meta.json and two empty files."""
    run = begun(lab).run
    assert run.path == lab.run(0, "plan_type")
    assert {p.name for p in run.path.iterdir()} == {"meta.json", "events.jsonl", "outputs.jsonl"}
    assert (run.number, run.step, run.model, run.finished) == (0, "plan_type", "haiku", False)
    assert run.meta["specification"] == SPECIFICATION
    assert run.meta["schema_version"] == 1
    assert run.meta["number"] == 0


def test_intent_cannot_take_the_place_of_the_identity(lab: Layout) -> None:
    """Whatever the intent says, number and id are the run's own."""
    writer = record.begin(lab, "plan_type", SPECIFICATION, {"run_id": "x", "number": 7})
    assert writer.run.meta["run_id"] == f"{SPECIFICATION[:16]}-0"
    assert writer.run.meta["number"] == 0


def test_runs_of_a_specification_have_ids_of_their_own(lab: Layout) -> None:
    """Another run like it gets the next id; other specifications count for themselves."""
    other = "cd" * 32
    ids = [begun(lab, s).run.meta["run_id"] for s in (SPECIFICATION, other, SPECIFICATION)]
    assert ids == [f"{SPECIFICATION[:16]}-0", f"{other[:16]}-0", f"{SPECIFICATION[:16]}-1"]
    assert [run.number for run in record.of_specification(lab, SPECIFICATION)] == [0, 2]
    assert [run.number for run in record.of_specification(lab, "none")] == []


def test_begin_is_all_or_nothing(lab: Layout) -> None:
    """Killed at any write, there is no run, or one whose meta.json is whole; the next one works."""
    kills = 0
    while killed_at(kills + 1, lambda: begun(lab)):
        kills += 1
        for path in runs(lab):
            assert Run(path).meta["specification"] == SPECIFICATION
    assert kills >= 5
    numbers = [int(path.name) for path in lab.numbers.iterdir()]
    assert len(numbers) > len(runs(lab))
    assert begun(lab).run.number == max(numbers) + 1


def test_kill_before_the_rename_leaves_no_run(lab: Layout) -> None:
    """The number stays claimed, and nothing stands in history under it."""
    assert killed_at(6, lambda: begun(lab))
    assert runs(lab) == []
    assert [p.name for p in lab.numbers.iterdir()] == ["0"]
    assert begun(lab).run.number == 1


def test_kept_cell_is_a_directory_and_a_row(lab: Layout, writer: RunWriter) -> None:
    """Repeat 0 is in outputs/, later ones in repeats/; the row is beside, too."""
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.keep(("silo", 2), folder_of(lab), row(repeat=2))
    assert writer.run.outputs("silo") == writer.run.path / "outputs" / "silo"
    assert writer.run.outputs("silo", 2) == writer.run.path / "repeats" / "2" / "silo"
    for repeat in (0, 2):
        place = writer.run.outputs("silo", repeat)
        assert {p.name for p in place.iterdir()} == {"002-8-plan_type.md", CELL_ROW}
    assert writer.run.rows() == {("silo", 0): row(), ("silo", 2): row(repeat=2)}


def test_failed_cells_are_kept_one_beside_the_other(lab: Layout, writer: RunWriter) -> None:
    """Each failure of a cell has a number; its last row counts."""
    for number, error in enumerate(["timeout", "empty"]):
        writer.fail(("silo", 0), folder_of(lab, content=error), row(error=error))
        file = writer.run.path / "failed" / "silo" / str(number) / "002-8-plan_type.md"
        assert file.read_text() == error
    writer.fail(("silo", 1), folder_of(lab), row(repeat=1, error="refused"))
    assert (writer.run.path / "failed" / "silo.1" / "0").is_dir()
    assert {key: r["error"] for key, r in writer.run.rows().items()} == {
        ("silo", 0): "empty",
        ("silo", 1): "refused",
    }


@pytest.mark.parametrize("repeat", [0, 3])
def test_kill_while_a_cell_is_kept_is_healed(lab: Layout, repeat: int) -> None:
    """Wherever it falls, artifacts that were taken over have their row, once, after a resume."""
    kills = 0
    while True:
        writer = begun(lab, f"{kills:064d}")
        folder = folder_of(lab, f"cell-{kills}")
        cell = ("silo", repeat)
        killed = killed_at(kills + 1, lambda: writer.keep(cell, folder, row(repeat=repeat)))  # noqa: B023
        writer.close()
        again = record.reopen(writer.run)
        taken_over = again.run.outputs(*cell).is_dir()
        assert list(again.run.rows()) == ([cell] if taken_over else [])
        again.close()
        assert len(read_rows(writer.run.path / "outputs.jsonl")[0]) == taken_over
        assert taken_over or (folder / "002-8-plan_type.md").is_file()
        if not killed:
            break
        kills += 1
    assert kills >= 3


def test_kill_between_rename_and_row_is_healed(lab: Layout, writer: RunWriter) -> None:
    """The row in the directory is appended, and a second resume appends nothing."""
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.keep(("port", 1), folder_of(lab), row("port", repeat=1))
    writer.close()
    (writer.run.path / "outputs.jsonl").write_text("")
    for _ in range(2):
        record.reopen(writer.run).close()
        rows, torn = read_rows(writer.run.path / "outputs.jsonl")
        assert (rows, torn) == ([row(), row("port", repeat=1)], 0)


def test_kill_after_an_open_cell_succeeded_is_healed(lab: Layout, writer: RunWriter) -> None:
    """Its earlier row says that it failed, and its artifacts say that it did not."""
    writer.fail(("silo", 0), folder_of(lab, content="half"), row(error="down"))
    failed = (writer.run.path / "outputs.jsonl").read_text()
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.close()
    (writer.run.path / "outputs.jsonl").write_text(failed)
    for _ in range(2):
        record.reopen(writer.run).close()
        assert read_rows(writer.run.path / "outputs.jsonl")[0] == [row(error="down"), row()]


def test_torn_row_is_healed(lab: Layout, writer: RunWriter) -> None:
    """A line that broke off is passed over, and the cell's row is written after it."""
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.close()
    path = writer.run.path / "outputs.jsonl"
    path.write_text(path.read_text()[:20])
    record.reopen(writer.run).close()
    assert writer.run.rows() == {("silo", 0): row()}
    assert read_rows(path)[1] == 1


def test_last_row_of_a_cell_counts(writer: RunWriter) -> None:
    """Odd rows, torn lines and bytes that are not text are passed over."""
    path = writer.run.path / "outputs.jsonl"
    lines = [
        json.dumps(row(error="timeout")),
        "[1, 2]",
        "3",
        '{"repeat": 0}',
        '{"name": 3}',
        '{"name": "silo", "repeat": "x"}',
        '{"name": "port"}',
        '{"name": "dyke", "repeat": null}',
        json.dumps(row()),
    ]
    path.write_bytes("\n".join(lines).encode() + b'\n\xff\n{"name": "silo", "status')
    assert writer.run.rows() == {
        ("silo", 0): row(),
        ("port", 0): {"name": "port"},
        ("dyke", 0): {"name": "dyke", "repeat": None},
    }


def test_events_have_the_recorded_form(writer: RunWriter) -> None:
    """Each has a time in UTC, its name, and what it is about."""
    writer.event("run_single_plan_start", plan_name="silo")
    [event] = read_rows(writer.run.path / "events.jsonl")[0]
    assert list(event) == ["timestamp", "event", "plan_name"]
    assert event["timestamp"].endswith("Z")


def test_record_is_never_overwritten(writer: RunWriter) -> None:
    """A file that exists stays, and the message says why."""
    writer.write_json("surfaces.json", {"surfaces": []})
    with pytest.raises(LabError, match=r"surfaces\.json exists; a record is never overwritten"):
        writer.write_json("surfaces.json", {"surfaces": [1]})
    assert writer.run.surfaces() == {"surfaces": []}


def test_half_characters_can_be_recorded(lab: Layout, writer: RunWriter) -> None:
    """A lone surrogate in a text is escaped, and read as it was."""
    writer.write_json("surfaces.json", {"text": "half \ud800"})
    writer.keep(("silo", 0), folder_of(lab), row(note="half \udfff"))
    assert writer.run.surfaces() == {"text": "half \ud800"}
    assert writer.run.rows()["silo", 0]["note"] == "half \udfff"


def test_finished_run_knows_every_file(lab: Layout, writer: RunWriter) -> None:
    """`done.json` comes last, with the facts and a digest of each file but itself."""
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.finish({"stopped": None})
    done = writer.run.done()
    assert done is not None
    assert done["stopped"] is None
    assert set(done["digests"]) == {
        "meta.json", "events.jsonl", "outputs.jsonl", "outputs/silo/002-8-plan_type.md",
        "outputs/silo/row.json",
    }  # fmt: skip
    assert writer.run.finished
    assert record.changed_since_done(writer.run) == []


@pytest.mark.parametrize("name", ["meta.json", "outputs.jsonl", "outputs/silo/002-8-plan_type.md"])
def test_changed_file_of_a_finished_run_is_noticed(
    lab: Layout, writer: RunWriter, name: str
) -> None:
    """A byte more, and a file less."""
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.finish({})
    with (writer.run.path / name).open("ab") as file:
        file.write(b" ")
    assert record.changed_since_done(writer.run) == [name]
    (writer.run.path / name).unlink()
    assert record.changed_since_done(writer.run) == [name]


def test_finish_is_all_or_nothing(lab: Layout, writer: RunWriter) -> None:
    """Killed at any write, the run is unfinished; the next try finishes it with true digests."""
    kills = 0
    while killed_at(kills + 1, lambda: writer.finish({})):
        kills += 1
        assert not writer.run.finished
    assert kills == 2
    assert record.changed_since_done(writer.run) == []


def test_resume_of_a_finished_run_changes_nothing(lab: Layout, writer: RunWriter) -> None:
    """Opening it again touches no file that was counted."""
    writer.keep(("silo", 0), folder_of(lab), row())
    writer.finish({})
    writer.close()
    record.reopen(writer.run).close()
    assert record.changed_since_done(writer.run) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"step": "\xe9"}', b'{"step": "pl'])
def test_run_with_a_broken_intent_can_be_looked_at(lab: Layout, content: bytes) -> None:
    """Its directory names its step; it has no model, and nobody takes it for finished."""
    path = lab.run(3, "plan_type")
    path.mkdir(parents=True)
    (path / "meta.json").write_bytes(content)
    run = Run(path)
    assert (run.meta, run.step, run.model, run.number) == ({}, "plan_type", "", 3)
    assert not run.finished


def test_run_without_optional_files_is_read(lab: Layout) -> None:
    """What is not there is empty or None."""
    path = lab.run(3, "plan_type")
    path.mkdir(parents=True)
    run = Run(path)
    assert (run.rows(), run.attempts(), run.surfaces(), run.done()) == ({}, [], {}, None)
    for name in (DONE, "surfaces.json"):
        (path / name).write_text("[]")
    assert (run.surfaces(), run.done()) == ({}, None)


def test_recorded_runs_are_read(lab: Layout) -> None:
    """Older records have meta, model and rows, count as finished, and lack the rest."""
    archive = RECORDED.parent / "history.tar.xz"
    if not archive.is_file():
        pytest.skip("the recorded history is not beside this checkout")
    with tarfile.open(archive) as file:
        for member in file:
            if member.name.startswith("history/0/06"):
                break
            file.extract(member, lab.root, filter="data")
    texts = [Run(path) for path in runs(lab)]
    assert [run.number for run in texts] == [0, 1, 2, 3, 4, 5]
    for run in texts:
        assert run.step == "identify_potential_levers"
        assert run.model == run.meta["model"]["primary"] != ""
        assert run.finished
        assert (run.done(), run.attempts(), run.surfaces()) == (None, [], {})
        for (plan, repeat), last in run.rows().items():
            assert repeat == 0
            assert last["status"] in {"ok", "error"}
            assert (last["status"] == "error") == bool(last.get("error"))
            if last["status"] == "ok":
                assert (run.outputs(plan) / "002-10-potential_levers.json").is_file()
    assert sum(len(run.rows()) for run in texts) > 20


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), Evidence.real),
        ((Evidence.real, Evidence.real), Evidence.real),
        ((Evidence.real, Evidence.historical), Evidence.historical),
        ((Evidence.historical, Evidence.simulated, Evidence.real), Evidence.simulated),
    ],
)
def test_several_results_are_as_good_as_the_weakest(
    kinds: tuple[Evidence, ...], expected: Evidence
) -> None:
    """Simulated is weaker than historical, and that is weaker than real."""
    assert Evidence.weakest(kinds) is expected
