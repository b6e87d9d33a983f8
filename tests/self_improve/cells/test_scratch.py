"""A cell's directory: copies go in, what the step wrote comes out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from self_improve.cells.scratch import Scratch
from self_improve.host.plans import PlanInputs
from tests.model_gateway.rows import an_attempt

RECORD = {"usage_metrics.jsonl", "activity_overview.json"}


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Return a cell's directory that is not there yet."""
    folder = tmp_path / "lab" / ".scratch" / "silo.0"
    return Scratch(folder=folder, kept=folder / "kept")


@pytest.fixture
def inputs(tmp_path: Path) -> PlanInputs:
    """Return the inputs of a plan of the other generation of names."""
    folder = tmp_path / "baseline" / "silo"
    (folder / "parts").mkdir(parents=True)
    files = {
        "001-2-plan.txt": folder / "plan.txt",
        "002-8-plan_type.md": folder / "002-8-plan_type.md",
        "parts/1.json": folder / "parts" / "1.json",
    }
    for path in files.values():
        path.write_text(path.name)
    digests = {name: digest(path.name) for name, path in files.items()}
    return PlanInputs(plan="silo", files=files, digests=digests)


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def names(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def test_inputs_are_copied_under_the_names_the_step_knows(
    scratch: Scratch, inputs: PlanInputs
) -> None:
    """Folders are created, and nothing else is there."""
    scratch.prepare(inputs)
    assert names(scratch.plan) == set(inputs.files)
    assert (scratch.plan / "001-2-plan.txt").read_text() == "plan.txt"
    assert names(scratch.folder) == {f"plan/{name}" for name in inputs.files}


def test_step_cannot_reach_the_baseline(scratch: Scratch, inputs: PlanInputs) -> None:
    """A copy that is overwritten in place leaves the plan as it was."""
    scratch.prepare(inputs)
    copy = scratch.plan / "001-2-plan.txt"
    assert not copy.is_symlink()
    with copy.open("r+") as file:
        file.write("XXXX")
    assert inputs.files["001-2-plan.txt"].read_text() == "plan.txt"
    assert copy.stat().st_nlink == 1


def test_what_a_killed_cell_left_is_gone(scratch: Scratch, inputs: PlanInputs) -> None:
    """The directory is created afresh."""
    scratch.prepare(inputs)
    (scratch.plan / "002-10-levers.json").write_text("[]")
    (scratch.folder / "result.json").write_text("{}")
    scratch.kept.mkdir()
    scratch.prepare(inputs)
    assert names(scratch.folder) == {f"plan/{name}" for name in inputs.files}


def test_new_and_changed_files_are_kept(scratch: Scratch, inputs: PlanInputs) -> None:
    """With their digests; inputs that are as they were stay behind."""
    placed = scratch.prepare(inputs)
    (scratch.plan / "002-10-levers.json").write_text("[]")
    (scratch.plan / "deep" / "er").mkdir(parents=True)
    (scratch.plan / "deep" / "er" / "1.md").write_text("One.")
    (scratch.plan / "002-8-plan_type.md").write_text("Changed.")
    digests = scratch.collect(inputs, [], placed)
    assert digests == {
        "002-10-levers.json": digest("[]"),
        "deep/er/1.md": digest("One."),
        "002-8-plan_type.md": digest("Changed."),
    }
    assert names(scratch.kept) == set(digests) | RECORD
    for name, expected in digests.items():
        assert digest((scratch.kept / name).read_text()) == expected


def test_input_that_was_written_again_unchanged_is_not_an_output(
    scratch: Scratch, inputs: PlanInputs
) -> None:
    """What counts is the content."""
    placed = scratch.prepare(inputs)
    (scratch.plan / "001-2-plan.txt").write_text("plan.txt")
    assert scratch.collect(inputs, [], placed) == {}


def test_hidden_files_and_links_are_left(
    scratch: Scratch, inputs: PlanInputs, tmp_path: Path
) -> None:
    """A link may lead anywhere, and hidden files are unfinished ones."""
    (tmp_path / "secret.txt").write_text("secret")
    placed = scratch.prepare(inputs)
    (scratch.plan / "link.txt").symlink_to(tmp_path / "secret.txt")
    (scratch.plan / "broken.txt").symlink_to(tmp_path / "nowhere")
    (scratch.plan / ".002-10-levers.json.x1").write_text("[")
    assert scratch.collect(inputs, [], placed) == {}
    assert names(scratch.kept) == RECORD


def test_usage_of_the_cell_is_kept(scratch: Scratch, inputs: PlanInputs) -> None:
    """One row for each attempt, and the totals."""
    placed = scratch.prepare(inputs)
    scratch.collect(inputs, iter([an_attempt(), an_attempt(key="other")]), placed)
    rows = (scratch.kept / "usage_metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["success"] for row in rows] == [True, True]
    overview = json.loads((scratch.kept / "activity_overview.json").read_text())
    assert overview["total_cost"] == 0.5


def test_steps_own_files_are_not_mixed_with_the_records(
    scratch: Scratch, inputs: PlanInputs
) -> None:
    """An artifact that is called like a file of the record is stored beside it, with its digest."""
    placed = scratch.prepare(inputs)
    for name in ("usage_metrics.jsonl", "row.json", "log.txt", "trace.txt"):
        (scratch.plan / name).write_text("the step's own")
    digests = scratch.collect(inputs, [], placed)
    assert set(digests) == {
        "step/usage_metrics.jsonl", "step/row.json", "step/log.txt", "step/trace.txt",
    }  # fmt: skip
    for name in digests:
        assert (scratch.kept / name).read_text() == "the step's own"
    assert (scratch.kept / "usage_metrics.jsonl").read_text() == ""


def test_log_is_kept_without_this_machines_paths(scratch: Scratch, inputs: PlanInputs) -> None:
    """What the step printed, in any bytes; an empty log is not kept."""
    placed = scratch.prepare(inputs)
    output = f"reading {scratch.plan}/001-2-plan.txt in {scratch.plan} \xff"
    (scratch.folder / "log.txt").write_bytes(output.encode("latin-1"))
    scratch.collect(inputs, [], placed)
    log = (scratch.kept / "log.txt").read_text(encoding="utf-8")
    assert log == "reading 001-2-plan.txt in the plan \ufffd"
    placed = scratch.prepare(inputs)
    (scratch.folder / "log.txt").touch()
    scratch.collect(inputs, [], placed)
    assert not (scratch.kept / "log.txt").exists()


def test_paths_are_taken_out_by_any_name(tmp_path: Path, inputs: PlanInputs) -> None:
    """Where scratch is behind a link, both paths are this machine's business."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folder = tmp_path / "link" / "silo.0"
    scratch = Scratch(folder=folder, kept=folder / "kept")
    scratch.prepare(inputs)
    for folder in (scratch.plan, scratch.plan.resolve()):
        assert str(tmp_path) not in scratch.without_paths(f"{folder}/001-2-plan.txt: {folder}")


def test_paths_into_the_data_repo_and_the_home_are_taken_out(scratch: Scratch) -> None:
    """A traceback through a worktree must not keep an iteration from being committed."""
    lab = scratch.folder.parent.parent
    trace = f'File "{lab}/.worktrees/c/step.py", "{Path.home()}/.venv/luigi.py"'
    assert scratch.without_paths(trace) == 'File ".worktrees/c/step.py", "~/.venv/luigi.py"'


def test_directory_is_removed(scratch: Scratch, inputs: PlanInputs) -> None:
    """Scratch is not history; removing what is not there is not an error."""
    scratch.prepare(inputs)
    scratch.remove()
    assert not scratch.folder.exists()
    scratch.remove()


def test_full_or_missing_place_is_an_error(scratch: Scratch, inputs: PlanInputs) -> None:
    """A file where the directory should be is named."""
    scratch.folder.parent.mkdir(parents=True)
    scratch.folder.write_text("x")
    with pytest.raises(OSError, match=r"silo\.0"):
        scratch.prepare(inputs)
