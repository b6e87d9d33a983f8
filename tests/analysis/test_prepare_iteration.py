"""Phase 0 as a command, on the runs that an iteration without agents has left."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from analysis import prepare_iteration, run_insight
from self_improve.forge.local import LocalForge
from tests.self_improve.iteration.conftest import GOOD, STEP, IterationSite, lab_template, make_site

__all__ = ["lab_template", "make_site"]

Make = Callable[[str], IterationSite]
REWORDED = GOOD.replace("You advise people", "You counsel people", 1)


def prepare(site: IterationSite, *words: str) -> int:
    """Run the command in this process."""
    lab = ["--prompt-lab-dir", str(site.layout.root), "--repo", str(site.code)]
    return prepare_iteration.main(["--step", STEP, "--pr", "1", *lab, *words])


def test_facts_of_a_pull_request_are_written_once(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its runs are found by their commits; the agents go on from there; a second run finds them."""
    site = make_site(GOOD)
    skip = ("--skip-downstream", "--skip-spot-check", "--analyse", "never")
    site.run(REWORDED, "--rationale", "Plainer", *skip, models="sim-strong")
    assert prepare(site) == 0
    folder = site.layout.iteration(1, STEP)
    meta = json.loads((folder / "meta.json").read_text())
    pull = LocalForge(site.layout.forge).pull(1)
    assert (meta["title"], meta["description"]) == (pull.title, pull.body)
    assert (meta["pull_request"], meta["evidence"]) == (pull.url, "simulated")
    assert meta["commits"]["after"] == pull.head
    assert meta["runs"] == {
        side: site.phase("run")["runs"][name]
        for side, name in (
            ("before", "baseline"),
            ("after", site.phase("branch")["sides"][1]["name"]),
        )
    }
    assert "+You counsel people" in (folder / "change.diff").read_text()
    assert not list(folder.glob("insight_*"))

    files = {path: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert prepare(site) == 0
    assert capsys.readouterr().out == f"Written to {folder}\n"
    assert {path: path.read_bytes() for path in folder.iterdir()} == files
    assert not site.layout.iteration(2, STEP).exists()
    assert prepare(site, "--iteration", "0") == 2
    assert "never overwritten" in capsys.readouterr().err
    assert run_insight.main(["--prompt-lab-dir", str(site.layout.root)]) == 0
    assert list(folder.glob("insight_*.md"))

    [before] = meta["runs"]["before"]
    assert prepare(site, "--after", str(site.layout.root / before)) == 2
    assert "was made from" in capsys.readouterr().err
    (site.layout.root / before / "done.json").unlink()
    assert prepare(site) == 2
    said = capsys.readouterr().err
    assert "has no finished run of identify_potential_levers" in said
    assert "plumbline run" in said
    LocalForge(site.layout.forge).close(1)
    assert prepare(site) == 2
    assert "only an open pull request is judged" in capsys.readouterr().err


def test_pull_request_that_is_not_there_ends_with_2(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """So does a step without a rubric."""
    site = make_site(GOOD)
    assert prepare(site) == 2
    assert "error: " in capsys.readouterr().err
    assert prepare(site, "--step", "no_such_step") == 2
    assert "no_such_step has no rubric" in capsys.readouterr().err
