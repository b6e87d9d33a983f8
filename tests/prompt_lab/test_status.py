"""The status of data repos: new ones, old ones, damaged ones."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from prompt_lab import dataset
from prompt_lab.command_line import main
from prompt_lab.layout import Layout
from prompt_lab.status import StepStatus, status, text
from tests.prompt_lab.conftest import RECORDED, make_zip

OLD_META = {"step": "setup", "model": {"primary": "llama"}}


def _run(lab: Layout, number: int, meta: object, rows: list[Any], *more: str) -> Path:
    path = lab.run(number, "setup")
    path.mkdir(parents=True)
    (path / "meta.json").write_text(json.dumps(meta))
    (path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in more:
        (path / name).write_text("{}")
    return path


def _row(plan: str, state: str = "ok", repeat: int = 0) -> dict[str, Any]:
    return {"name": plan, "status": state, "repeat": repeat}


def test_empty_repo_says_what_to_do_first(lab: Layout) -> None:
    """There is nothing to count, and plans are what is missing."""
    state = status(lab)
    assert (state.splits, state.steps) == ({"train": [], "verify": []}, [])
    assert state.next[0].startswith("Add plans: python -m prompt_lab populate")


def test_plans_are_shown_with_what_is_odd(lab: Layout, tmp_path: Path) -> None:
    """Listed or not, here or not, with all files or not."""
    make_zip(tmp_path / "zips" / "train" / "silo.zip")
    assert main(["populate", str(tmp_path / "zips"), "--prompt-lab-dir", str(lab.root)]) == 0
    data = dataset.load(lab)
    dataset.save(lab, data.with_plan("verify", dataset.Plan(name="port")))
    (lab.plan("train", "own")).mkdir()
    (lab.plan("train", "silo") / "new.md").write_text("x")
    state = status(lab)
    assert [(p.plan, p.files, p.remark) for p in state.splits["train"]] == [
        ("own", 0, "not in dataset.json"),
        ("silo", 4, "had 3 files when it was added"),
    ]
    assert [(p.plan, p.remark) for p in state.splits["verify"]] == [("port", "missing")]
    assert "missing" in state.next[0]
    assert "self_improve.runner" in state.next[1]


def test_cells_are_counted_once_by_their_last_row(lab: Layout) -> None:
    """Old, finished and unfinished runs, a rerun, a torn line, an empty run, a broken one."""
    new = {**OLD_META, "schema_version": 1, "inputs": {"a": {}, "b": {}}, "repeats": 2}
    _run(lab, 0, OLD_META, [_row("a"), _row("b", "error"), _row("b")])
    _run(lab, 1, new, [_row("a"), _row("a", "error", 1), _row("b")], "done.json")
    torn = _run(lab, 2, new, [_row("a")])
    with (torn / "outputs.jsonl").open("a") as file:
        file.write('{"name": "b", "sta')
    empty = _run(lab, 103, OLD_META, [])
    (empty / "events.jsonl").write_text(
        '{"event": "run_single_plan_start", "plan_name": "a"}\n{"event": "x", "plan_name": 3}\n'
    )
    broken = _run(lab, 104, OLD_META, [])
    (broken / "meta.json").write_bytes(b'{"step": "\xe9')
    _run(lab, 105, OLD_META, [[], 3, {"name": 3}, {"name": "a", "repeat": "x"}])
    state = status(lab)
    assert state.steps == [
        StepStatus(
            step="setup",
            runs=6,
            finished=1,
            unfinished=2,
            unmarked=3,
            empty=3,
            cells_ok=5,
            cells_failed=1,
            cells_unfinished=4,
        )
    ]
    assert state.unreadable == [str(path.relative_to(lab.root)) for path in (broken,)]
    assert "6 runs (1 finished, 2 unfinished, 3 older" in text(state)
    assert "1 run whose meta.json" in text(state)


def test_unfinished_runs_are_what_is_next(lab: Layout) -> None:
    """They are named."""
    lab.plan("train", "silo").mkdir(parents=True)
    _run(lab, 7, {**OLD_META, "schema_version": 1}, [])
    assert status(lab).next == ["Finish 1 run by running the commands again: history/0/07_setup"]


def test_json_holds_the_same(lab: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes are in bytes, and every number of the text is there."""
    _run(lab, 0, OLD_META, [_row("a")])
    assert main(["status", "--json", "--prompt-lab-dir", str(lab.root)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["root"] == str(lab.root)
    assert printed["steps"][0]["cells_ok"] == 1
    assert printed["sizes"]["history"] > 0


def test_recorded_history_is_read(lab: Layout, tmp_path: Path) -> None:
    """All 166 recorded runs are counted."""
    archive = RECORDED.parent / "history.tar.xz"
    if not archive.is_file():
        pytest.skip("the recorded history is not beside this checkout")
    with tarfile.open(archive) as file:
        for member in file:
            if "/outputs/" not in member.name:
                file.extract(member, lab.root, filter="data")
    [step] = status(lab).steps
    assert step == StepStatus(
        step="identify_potential_levers",
        runs=166,
        finished=0,
        unfinished=0,
        unmarked=166,
        empty=2,
        cells_ok=701,
        cells_failed=119,
        cells_unfinished=5,
    )
