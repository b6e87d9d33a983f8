"""What is committed to the data repo, and what never is."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from model_gateway.keys import Redactor
from prompt_lab.errors import LabError
from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.repository import Repository


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a data repo with a first commit."""
    init(tmp_path / "lab")
    return Layout(tmp_path / "lab")


def git(place: Path, *words: str) -> str:
    """Return what git says."""
    return subprocess.run(
        ["git", "-C", str(place), "-c", "user.name=n", "-c", "user.email=e", *words],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def note(layout: Layout, name: str, text: str = "x") -> Path:
    """Write a file into `analysis/`."""
    path = layout.analysis / name
    path.write_text(text)
    return path


def test_only_named_files_are_committed(layout: Layout) -> None:
    """What the user has changed or staged stays as it is."""
    (layout.root / "README.md").write_text("mine")
    staged = note(layout, "staged.md")
    git(layout.root, "add", str(staged))
    commit = Repository(layout).commit([note(layout, "a.md")], "Tell a")
    assert commit == git(layout.root, "rev-parse", "HEAD")
    assert git(layout.root, "show", "--format=%s", "--name-only").split("\n") == [
        "Tell a", "", "analysis/a.md",
    ]  # fmt: skip
    assert sorted(git(layout.root, "status", "--porcelain").split("\n")) == [
        "A  analysis/staged.md", "M README.md",
    ]  # fmt: skip


def test_nothing_new_is_no_commit(layout: Layout) -> None:
    """The same call again finds nothing to do."""
    path = note(layout, "a.md")
    assert Repository(layout).commit([path], "One") is not None
    assert Repository(layout).commit([path, layout.analysis / "gone.md"], "Two") is None
    assert git(layout.root, "log", "-1", "--format=%s") == "One"


@pytest.mark.parametrize(
    "text",
    ["sk-ant-REDACTED" + "A" * 24, "ghp_" + "b" * 36, "told s3cret-value-of-a-key here"],
    ids=["model", "forge", "named"],
)
def test_key_fails_the_commit(layout: Layout, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nothing of the commit is made, and the message does not repeat the key."""
    monkeypatch.setenv("MY_VALUE", "s3cret-value-of-a-key")
    before = git(layout.root, "rev-parse", "HEAD")
    paths = [note(layout, "a.md"), note(layout, "b.md", text)]
    with pytest.raises(
        LabError, match=r"analysis/b\.md: it holds (MY_VALUE|a text that looks like a key)"
    ) as raised:
        Repository(layout, redactor=Redactor(["MY_VALUE"])).commit(paths, "Both")
    assert text not in str(raised.value)
    assert git(layout.root, "rev-parse", "HEAD") == before
    assert git(layout.root, "diff", "--cached", "--name-only") == ""


def test_path_of_the_machine_fails_the_commit(layout: Layout) -> None:
    """Where the data repo lies is nobody's business."""
    with pytest.raises(LabError, match=r"a\.md: it holds a path of this machine"):
        Repository(layout).commit([note(layout, "a.md", f"see {layout.root}/history/1")], "x")


def test_commit_is_pushed_and_rebased(layout: Layout, tmp_path: Path) -> None:
    """Where the remote has moved, the new commit comes after the other one."""
    remote, other = tmp_path / "remote.git", tmp_path / "other"
    git(tmp_path, "init", "--bare", "--quiet", "--initial-branch=main", str(remote))
    git(layout.root, "remote", "add", "origin", str(remote))
    Repository(layout).commit([note(layout, "a.md")], "First")
    git(tmp_path, "clone", "--quiet", str(remote), str(other))
    (other / "theirs.md").write_text("x")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "Theirs")
    git(other, "push", "--quiet")
    (layout.root / "README.md").write_text("mine, not committed")
    Repository(layout).commit([note(layout, "b.md")], "Second")
    assert git(remote, "log", "--format=%s", "-3", "main").split("\n") == [
        "Second", "Theirs", "First",
    ]  # fmt: skip
    assert (layout.root / "README.md").read_text() == "mine, not committed"


def test_push_that_is_refused_is_told_and_caught_up_on(layout: Layout, tmp_path: Path) -> None:
    """The commit is kept; the next call pushes it, with nothing new to commit."""
    remote = tmp_path / "remote.git"
    git(layout.root, "remote", "add", "origin", str(remote))
    path = note(layout, "a.md")
    with pytest.raises(LabError, match="git failed"):
        Repository(layout).commit([path], "First")
    git(tmp_path, "init", "--bare", "--quiet", "--initial-branch=main", str(remote))
    assert Repository(layout).commit([path], "First") is None
    assert git(remote, "log", "-1", "--format=%s", "main") == "First"


def test_two_writers_lose_nothing(layout: Layout) -> None:
    """Commits made side by side come one after the other."""
    threads = [
        threading.Thread(
            target=lambda n=n: Repository(layout).commit([note(layout, f"{n}.md")], f"Tell {n}")
        )
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subjects = git(layout.root, "log", "--format=%s", "-6").split("\n")
    assert sorted(subjects) == [f"Tell {n}" for n in range(6)]
