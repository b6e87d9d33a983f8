"""Phase 0 as a command, on the runs that an iteration without agents has left."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from analysis import prepare_iteration, run_insight
from self_improve.forge.local import LocalForge
from tests.self_improve.iteration.conftest import GOOD, STEP, Ground, context, lab_template

__all__ = ["context", "lab_template"]

Make = Callable[[str], Ground]
REWORDED = GOOD.replace("You advise people", "You counsel people", 1)


def prepare(made: Ground, *words: str) -> int:
    """Run the command in this process."""
    lab = ["--prompt-lab-dir", str(made.layout.root), "--repo", str(made.code)]
    return prepare_iteration.main(["--step", STEP, "--pr", "1", *lab, *words])


def test_facts_of_a_pull_request_are_written_once(
    context: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its runs are found by their commits; the agents go on from there; a second run finds them."""
    made = context(GOOD)
    skip = ("--skip-downstream", "--skip-spot-check", "--analyse", "never")
    made.run(REWORDED, "--rationale", "Plainer", *skip, models="sim-strong")
    assert prepare(made) == 0
    folder = made.layout.iteration(1, STEP)
    meta = json.loads((folder / "meta.json").read_text())
    pull = LocalForge(made.layout.forge).pull(1)
    assert (meta["title"], meta["description"]) == (pull.title, pull.body)
    assert (meta["pull_request"], meta["evidence"]) == (pull.url, "simulated")
    assert meta["commits"]["after"] == pull.head
    assert meta["runs"] == {
        side: made.phase("run")["runs"][name]
        for side, name in (
            ("before", "baseline"),
            ("after", made.phase("branch")["sides"][1]["name"]),
        )
    }
    assert "+You counsel people" in (folder / "change.diff").read_text()
    assert not list(folder.glob("insight_*"))

    files = {path: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert prepare(made) == 0
    assert capsys.readouterr().out == f"Written to {folder}\n"
    assert {path: path.read_bytes() for path in folder.iterdir()} == files
    assert not made.layout.iteration(2, STEP).exists()
    assert prepare(made, "--iteration", "0") == 2
    assert "never overwritten" in capsys.readouterr().err
    assert run_insight.main(["--prompt-lab-dir", str(made.layout.root)]) == 0
    assert list(folder.glob("insight_*.md"))

    [before] = meta["runs"]["before"]
    assert prepare(made, "--after", str(made.layout.root / before)) == 2
    assert "was made from" in capsys.readouterr().err
    (made.layout.root / before / "done.json").unlink()
    assert prepare(made) == 2
    said = capsys.readouterr().err
    assert "has no finished run of identify_potential_levers" in said
    assert "plumbline run" in said
    LocalForge(made.layout.forge).close(1)
    assert prepare(made) == 2
    assert "only an open pull request is judged" in capsys.readouterr().err


def test_pull_request_that_is_not_there_ends_with_2(
    context: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """So does a step without a rubric."""
    made = context(GOOD)
    assert prepare(made) == 2
    assert "error: " in capsys.readouterr().err
    assert prepare(made, "--step", "no_such_step") == 2
    assert "no_such_step has no rubric" in capsys.readouterr().err
