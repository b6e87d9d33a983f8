"""Looking at a stranger's repository runs nothing that its settings name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from self_improve.code import code_tree, git


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a repository with a package."""
    root = tmp_path / "tree"
    (root / "pack").mkdir(parents=True)
    (root / "pack" / "__init__.py").write_text("A = 1\n")
    commands(root, ["init", "-q", "-b", "topic"], ["add", "-A"], ["commit", "-qm", "x"])
    return root


def commands(root: Path, *lines: list[str]) -> None:
    """Run git as the stranger does."""
    for words in lines:
        identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
        subprocess.run(["git", "-C", str(root), *identity, *words], check=True)


@pytest.mark.parametrize(
    "key",
    [
        "core.fsmonitor", "filter.evil.clean", "filter.evil.process", "filter.Ev.il.clean",
    ],
)  # fmt: skip
def test_no_program_of_the_repository_is_run(tree: Path, tmp_path: Path, key: str) -> None:
    """The facts on the code are as without the setting, and the program was not run."""
    before = code_tree.read(tree, ["pack"])
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\ncat\n")
    program.chmod(0o755)
    name = key.split(".", 1)[1].rpartition(".")[0]
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "attributes").write_text(f"* filter={name}\n")
    commands(tree, ["config", key, str(program)])
    if key.startswith("filter"):
        commands(tree, ["config", f"filter.{name}.required", "true"])
    (tree / "pack" / "__init__.py").touch()
    assert code_tree.read(tree, ["pack"]) == before
    assert not (tmp_path / "ran").exists()
    assert (before.branch, before.dirty) == ("topic", False)
    (tree / "pack" / "__init__.py").touch()
    subprocess.run(["git", "-C", str(tree), "status"], check=False, capture_output=True)
    assert (tmp_path / "ran").exists(), "the setting is one that git would have followed"


def test_a_change_and_a_new_file_make_it_dirty(tree: Path) -> None:
    """What the code does not reach makes nothing dirty; outside of the paths no change counts."""
    (tree / "other.txt").write_text("x")
    assert not code_tree.read(tree, ["pack"]).dirty
    (tree / "pack" / "new.py").touch()
    assert code_tree.read(tree, ["pack"]).dirty
    (tree / "pack" / "new.py").unlink()
    (tree / "pack" / "__init__.py").write_text("A = 2\n")
    assert code_tree.read(tree, ["pack"], paths=["pack"]).dirty


def test_what_fails_is_an_error(tmp_path: Path) -> None:
    """A folder outside of any repository has no facts."""
    with pytest.raises(git.GitError):
        git.inspect(tmp_path, "rev-parse", "HEAD")
