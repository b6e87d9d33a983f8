"""Whether a finished run still is what was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt_lab import integrity, record
from prompt_lab.integrity import alterations
from prompt_lab.layout import Layout
from prompt_lab.record import DONE, Run
from tests.prompt_lab.test_lfs import POINTER


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a finished run with one cell."""
    lab = Layout(tmp_path / "lab")
    writer = record.begin(lab, "plan_type", "ab" * 32, {"step": "plan_type", "model": {}})
    folder = lab.scratch / "silo"
    folder.mkdir(parents=True)
    (folder / "002-8-plan_type.md").write_text("It needs a boat.\n")
    digest = record.file_digest(folder / "002-8-plan_type.md")
    writer.keep(("silo", 0), folder, {"name": "silo", "outputs": {"002-8-plan_type.md": digest}})
    writer.event("finished")
    writer.finish({"evidence": {"kind": "real", "reasons": []}})
    writer.close()
    return writer.run


ARTIFACT = "outputs/silo/002-8-plan_type.md"


def test_a_run_as_it_was_written_is_intact(run: Run) -> None:
    """So is one with files that nobody reads as its own: hidden ones, and notes beside it."""
    (run.path / "outputs" / ".DS_Store").write_text("x")
    (run.path / "notes.md").write_text("Mine.")
    assert alterations(run) == ()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (ARTIFACT, b"It needs no boat.\n", f"{ARTIFACT} was changed"),
        (ARTIFACT, None, f"{ARTIFACT} is missing"),
        (ARTIFACT, POINTER, f"{ARTIFACT} is a Git LFS pointer"),
        ("outputs/silo/002-9-more.md", b"More.", "outputs/silo/002-9-more.md was added"),
        ("outputs.jsonl", b"{", "outputs.jsonl was changed"),
        ("meta.json", b"{}", "meta.json was changed"),
        (DONE, b'{"evidence"', "done.json is torn"),
        (DONE, POINTER, "done.json is a Git LFS pointer"),
        (DONE, None, "done.json is missing, although the run was finished"),
    ],
)
def test_what_was_altered_is_named(
    run: Run, name: str, content: bytes | None, problem: str
) -> None:
    """File by file, also when the run was looked at before."""
    assert alterations(run) == ()
    if content is None:
        (run.path / name).unlink()
    else:
        (run.path / name).write_bytes(content)
    assert any(one.startswith(problem) for one in alterations(Run(run.path)))


def test_a_digest_that_was_changed_with_its_file_contradicts_the_rest(run: Run) -> None:
    """The seal of `done.json`, and the row of the cell, say what it was."""
    (run.path / ARTIFACT).write_text("Better.")
    done = json.loads((run.path / DONE).read_text())
    done["digests"][ARTIFACT] = record.file_digest(run.path / ARTIFACT)
    (run.path / DONE).write_text(json.dumps(done))
    assert alterations(Run(run.path)) == (
        "done.json was changed", f"{ARTIFACT} is not what outputs.jsonl says",
    )  # fmt: skip
    del done["seal"]
    (run.path / DONE).write_text(json.dumps(done))
    assert alterations(Run(run.path)) == (f"{ARTIFACT} is not what outputs.jsonl says",)


def test_a_run_that_goes_on_is_not_altered(run: Run) -> None:
    """A session that was killed after its last event resumes what it had not finished."""
    (run.path / DONE).unlink()
    writer = record.reopen(run)
    writer.event("resumed")
    writer.close()
    assert alterations(Run(run.path)) == ()


def test_a_record_of_the_older_form_has_nothing_to_compare_with(tmp_path: Path) -> None:
    """It does not count as evidence either way; only pointers in it are named."""
    path = tmp_path / "history" / "0" / "07_plan_type"
    (path / "outputs" / "silo").mkdir(parents=True)
    (path / "meta.json").write_text('{"step": "plan_type"}')
    (path / "outputs.jsonl").write_text('{"name": "silo"}\n')
    assert integrity.is_older(Run(path))
    assert alterations(Run(path)) == ()
    (path / "outputs" / "silo" / "a.json").write_bytes(POINTER)
    [problem] = alterations(Run(path))
    assert "git lfs pull" in problem
    (path / "attempts.jsonl").write_text("")
    assert not integrity.is_older(Run(path))
