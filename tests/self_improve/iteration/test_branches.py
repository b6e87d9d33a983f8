"""Code that was written for a draft: one commit however often, and a pull request when told."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.forge.local import LocalForge
from self_improve.iteration.branches import Branching
from self_improve.iteration.drafts import Draft
from tests.self_improve.iteration.conftest import git

DRAFT = Draft(id="s-code-1-1", step="s", origin="synthesis", change="A change")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return a repository with two files."""
    place = tmp_path / "code"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(place))
    (place / "own.py").write_text("A = 1\n")
    (place / "test_own.py").write_text("B = 1\n")
    git(place, "add", ".")
    git(place, "commit", "--quiet", "-m", "Begin")
    return place


@pytest.fixture
def branching(code: Path, tmp_path: Path) -> Branching:
    """Return what branches it, on a local forge."""
    layout = Layout(tmp_path / "lab")
    return Branching(layout, code, LocalForge(layout.forge))


def test_written_code_is_one_commit_and_then_a_pull_request(
    branching: Branching, code: Path, tmp_path: Path
) -> None:
    """The same work again finds it; the forge hears of it only when it is told."""
    base = branching.base("main")
    side = branching.written(DRAFT, base, {"own.py": "A = 2\n"}, message="Change it")
    assert branching.written(DRAFT, base, {"own.py": "A = 2\n"}, message="Change it") == side
    assert "+A = 2" in side.diff
    assert side.is_code
    assert not (tmp_path / "lab/forge/pulls").exists()
    draft = Draft(**{**DRAFT.to_row(), "branch": side.branch, "commit": side.commit})
    opened = branching.of_commit(draft, base, "main")
    assert branching.of_commit(draft, base, "main") == opened
    pull = (tmp_path / "lab/forge/pulls/0001.md").read_text()
    assert "- plumbline\n- code\n" in pull
    assert (opened.commit, opened.pull_request) == (side.commit, 1)
    assert git(code, "status", "--porcelain") == ""


def test_files_as_they_were_stand_there_for_a_while(branching: Branching) -> None:
    """Everything else is the side's, and afterwards all of it is."""
    base = branching.base("main")
    changed = {"own.py": "A = 2\n", "test_own.py": "B = 2\n"}
    side = branching.written(DRAFT, base, changed, message="Change both")
    with branching.as_before(side, base, ["test_own.py"]) as tree:
        assert (tree / "own.py").read_text() == "A = 2\n"
        assert (tree / "test_own.py").read_text() == "B = 1\n"
    assert (tree / "test_own.py").read_text() == "B = 2\n"


@pytest.mark.parametrize("name", ["../own.py", "/own.py", ".git", ".git/config"])
def test_nothing_is_written_outside_the_code(branching: Branching, name: str) -> None:
    """Whatever an agent calls its files."""
    base = branching.base("main")
    with pytest.raises(UsageError, match="is not a file of the worktree"):
        branching.written(DRAFT, base, {name: "x"}, message="m")


def test_settings_and_hooks_are_watched(branching: Branching, code: Path) -> None:
    """What tells git to run something counts, and where people push to does not."""
    branching.base("main")
    before = branching.settings_digest()
    git(code, "config", "branch.main.remote", "origin")
    git(code, "config", "remote.origin.url", "https://example.org/x.git")
    assert branching.settings_digest() == before
    git(code, "config", "core.hooksPath", "/somewhere")
    watched = branching.settings_digest()
    assert watched != before
    (code / ".git/hooks").mkdir(exist_ok=True)
    (code / ".git/hooks/post-commit").write_text("#!/bin/sh\n")
    assert branching.settings_digest() != watched
