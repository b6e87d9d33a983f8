"""Code that was written for a draft: one commit however often, and a pull request when told."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_gateway.keys import Redactor
from prompt_lab.layout import Layout
from prompt_lab.leaks import LeakError
from self_improve.errors import UsageError
from self_improve.forge.local import LocalForge
from self_improve.iteration.branches import Branches
from self_improve.iteration.drafts import Draft
from tests.self_improve.iteration.conftest import git

DRAFT = Draft(id="s-code-1-1", step="s", origin="synthesis", change="A change")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return a repository with two files."""
    folder = tmp_path / "code"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    (folder / "own.py").write_text("A = 1\n")
    (folder / "test_own.py").write_text("B = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "Begin")
    return folder


@pytest.fixture
def branches(code: Path, tmp_path: Path) -> Branches:
    """Return what branches it, on a local forge."""
    layout = Layout(tmp_path / "lab")
    return Branches(layout, code, LocalForge(layout.forge))


def test_written_code_is_one_commit_and_then_a_pull_request(
    branches: Branches, code: Path, tmp_path: Path
) -> None:
    """The same work again finds it; the forge gets it only by a push."""
    base = branches.base("main")
    side = branches.of_files(DRAFT, base, {"own.py": "A = 2\n"}, message="Change it")
    assert branches.of_files(DRAFT, base, {"own.py": "A = 2\n"}, message="Change it") == side
    assert "+A = 2" in side.diff
    assert side.is_code
    assert not (tmp_path / "lab/forge/pulls").exists()
    draft = Draft(**{**DRAFT.to_row(), "branch": side.branch, "commit": side.commit})
    opened = branches.of_commit(draft, base, "main")
    assert branches.of_commit(draft, base, "main") == opened
    pull = (tmp_path / "lab/forge/pulls/0001.md").read_text()
    assert "- plumbline\n- code\n" in pull
    assert (opened.commit, opened.pull_request) == (side.commit, 1)
    assert git(code, "status", "--porcelain") == ""


def test_files_as_they_were_stand_there_for_a_while(branches: Branches) -> None:
    """Everything else is the side's, and afterwards all of it is."""
    base = branches.base("main")
    changed = {"own.py": "A = 2\n", "test_own.py": "B = 2\n"}
    side = branches.of_files(DRAFT, base, changed, message="Change both")
    with branches.as_before(side, base, ["test_own.py"]) as tree:
        assert (tree / "own.py").read_text() == "A = 2\n"
        assert (tree / "test_own.py").read_text() == "B = 1\n"
    assert (tree / "test_own.py").read_text() == "B = 2\n"


@pytest.mark.parametrize("name", ["../own.py", "/own.py", ".git", ".git/config"])
def test_nothing_is_written_outside_the_code(branches: Branches, name: str) -> None:
    """Whatever an agent calls its files."""
    base = branches.base("main")
    with pytest.raises(UsageError, match="is not a file of the worktree"):
        branches.of_files(DRAFT, base, {name: "x"}, message="m")


def test_settings_and_hooks_are_watched(branches: Branches, code: Path) -> None:
    """What makes git run something counts, and where people push to does not."""
    branches.base("main")
    before = branches.settings_digest()
    git(code, "config", "branch.main.remote", "origin")
    git(code, "config", "remote.origin.url", "https://example.org/x.git")
    assert branches.settings_digest() == before
    git(code, "config", "core.hooksPath", "/somewhere")
    watched = branches.settings_digest()
    assert watched != before
    (code / ".git/hooks").mkdir(exist_ok=True)
    (code / ".git/hooks/post-commit").write_text("#!/bin/sh\n")
    assert branches.settings_digest() != watched


def on_branch(code: Path, name: str, text: str) -> Draft:
    """Commit a change on a branch of the user, and return its draft."""
    git(code, "checkout", "--quiet", "-B", name, "main")
    (code / "own.py").write_text(text)
    git(code, "commit", "--quiet", "-a", "-m", "Their change")
    commit = git(code, "rev-parse", "HEAD")
    git(code, "checkout", "--quiet", "main")
    return Draft(id="s-their", step="s", origin="human", branch=name, commit=commit)


def test_branch_of_the_user_gets_a_pull_request(branches: Branches, code: Path) -> None:
    """Under its own name, once however often; its commit can then have a status."""
    draft = on_branch(code, "their/change", "A = 2\n")
    base = branches.base("main")
    side = branches.of_branch(draft, base, "main")
    assert branches.of_branch(draft, base, "main") == side
    assert (side.branch, side.commit, side.pull_request) == ("their/change", draft.commit, 1)
    assert side.is_code
    branches.pending(side)
    assert branches.require_unmoved(side) is not None


def test_amended_branch_gets_a_pull_request_of_its_own(branches: Branches, code: Path) -> None:
    """The forge keeps the commits that it has under the branch's name."""
    base = branches.base("main")
    first = branches.of_branch(on_branch(code, "their/change", "A = 2\n"), base, "main")
    second = branches.of_branch(on_branch(code, "their/change", "A = 3\n"), base, "main")
    assert second.pull_request == 2
    assert second.branch.startswith("plumbline/their-change-")
    assert branches.require_unmoved(first) is not None


@pytest.mark.parametrize("name", ["v1", "HEAD~1"])
def test_what_is_no_branch_gets_a_name(branches: Branches, code: Path, name: str) -> None:
    """A tag or another revision is a commit, too."""
    draft = on_branch(code, "theirs", "A = 2\n")
    git(code, "tag", "v1", str(draft.commit))
    named = Draft(**{**draft.to_row(), "branch": name})
    side = branches.of_branch(named, branches.base("main"), "main")
    assert side.branch.startswith("plumbline/")
    assert (side.commit, side.pull_request) == (draft.commit, 1)


def test_branch_that_adds_nothing_is_refused(branches: Branches, code: Path) -> None:
    """It is the base, or behind it; nothing is pushed."""
    base = branches.base("main")
    draft = Draft(id="s-x", step="s", origin="human", branch="old", commit=base)
    with pytest.raises(UsageError, match="changes nothing"):
        branches.of_branch(draft, base, "main")
    (code / "own.py").write_text("A = 5\n")
    git(code, "commit", "--quiet", "-a", "-m", "The base moves on")
    with pytest.raises(UsageError, match="adds no commit"):
        branches.of_branch(draft, branches.base("main"), "main")


def test_branch_with_a_key_is_neither_pushed_nor_measured(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable, and the forge has none of its commits."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    layout = Layout(tmp_path / "lab")
    branches = Branches(layout, code, LocalForge(layout.forge), redactor=Redactor())
    draft = on_branch(code, "theirs", "A = 'k-abcdefghijklm0123456789'\n")
    with pytest.raises(LeakError, match=r"the change: line [0-9]+: it holds MINE_API_KEY"):
        branches.of_branch(draft, branches.base("main"), "main")
    listed = git(
        layout.forge / "repository.git", "cat-file", "--batch-all-objects", "--batch-check"
    )
    assert str(draft.commit) not in listed
