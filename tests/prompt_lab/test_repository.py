"""What is committed to the data repo, and what never is."""

from __future__ import annotations

import json
import subprocess
import threading
from base64 import b64encode
from pathlib import Path

import pytest

from model_gateway.jsonl import Appender, read_rows
from model_gateway.keys import Redactor
from prompt_lab.errors import LabError
from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.leaks import LeakError
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
    """The path of the data repo is nobody's business."""
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


def test_push_that_is_refused_is_reported_and_caught_up_on(layout: Layout, tmp_path: Path) -> None:
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


def objects(layout: Layout) -> bytes:
    """Return all objects that git has stored, also those that nothing refers to."""
    return subprocess.run(
        ["git", "-C", str(layout.root), "cat-file", "--batch-all-objects", "--batch"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("form", ["as it is", "JSON", "base64"])
def test_git_never_sees_a_key(layout: Layout, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """No object holds it, not even a loose one; the file is named with its line and variable."""
    key = 'k-"q\\/abcdefghijklm0123456789'
    monkeypatch.setenv("MINE_API_KEY", key)
    escaped = json.dumps(json.dumps(key))
    shown = {"as it is": key, "JSON": escaped, "base64": b64encode(key.encode()).decode()}[form]
    paths = [note(layout, "a.md"), note(layout, "b.md", f"one\n{shown}\n")]
    with pytest.raises(LeakError, match=r"analysis/b\.md: line 2: it holds MINE_API_KEY") as raised:
        Repository(layout).commit(paths, "Both")
    assert key not in str(raised.value)
    assert shown.encode() not in objects(layout)
    assert git(layout.root, "status", "--porcelain").split("\n") == [
        "?? analysis/a.md", "?? analysis/b.md",
    ]  # fmt: skip
    paths[1].write_text("one\n")
    assert Repository(layout).commit(paths, "Both") is not None


def test_check_commits_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises what a commit would raise, and leaves everything as it is."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    path = note(layout, "a.md")
    Repository(layout).check([layout.analysis])
    assert git(layout.root, "log", "-1", "--format=%s") == "Start the data repo"
    path.write_text("k-abcdefghijklm0123456789")
    with pytest.raises(LeakError, match="MINE_API_KEY"):
        Repository(layout).check([layout.analysis])


def test_message_with_a_key_is_no_commit(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles of candidates may come from a model."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    with pytest.raises(LeakError, match="the commit's message: it holds MINE_API_KEY"):
        Repository(layout).commit([note(layout, "a.md")], "Use k-abcdefghijklm0123456789")


def test_locks_of_a_killed_git_of_ours_are_removed(layout: Layout) -> None:
    """Its mark says so; a lock of the user's git stays, and the message shows git's words."""
    folder = layout.root / ".git"
    (folder / "plumbline-at-work").touch()
    (folder / "index.lock").touch()
    (folder / "refs/heads/main.lock").touch()
    assert Repository(layout).commit([note(layout, "a.md")], "First") is not None
    assert not (folder / "plumbline-at-work").exists()


def test_lock_of_the_users_git_stays(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for; then the message shows git's words, and nothing is lost."""
    monkeypatch.setattr("prompt_lab.git._WAITS", (0.01, 0.01))
    lock = layout.root / ".git/index.lock"
    lock.touch()
    with pytest.raises(LabError, match=r"index\.lock"):
        Repository(layout).commit([note(layout, "a.md")], "First")
    assert lock.exists()
    lock.unlink()
    assert Repository(layout).commit([note(layout, "a.md")], "First") is not None


def test_catching_up_takes_no_file_from_its_writer(layout: Layout, tmp_path: Path) -> None:
    """A row that is appended while the remote's commits come in is in the file afterwards."""
    remote, other = tmp_path / "remote.git", tmp_path / "other"
    git(tmp_path, "clone", "--bare", "--quiet", str(layout.root), str(remote))
    git(layout.root, "remote", "add", "origin", str(remote))
    path = note(layout, "rows.jsonl", "")
    Repository(layout).commit([path], "No rows yet")
    git(tmp_path, "clone", "--quiet", str(remote), str(other))
    (other / "theirs.md").write_text("x")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "Theirs")
    git(other, "push", "--quiet")
    with Appender(path) as writer:
        writer.append({"row": 1}, sync=True)
        Repository(layout).commit([note(layout, "other.md")], "Another")
        writer.append({"row": 2}, sync=True)
    assert read_rows(path)[0] == [{"row": 1}, {"row": 2}]
    assert (layout.root / "theirs.md").read_text() == "x"
    assert git(layout.root, "log", "--format=%s", "-3").split("\n") == [
        "Another", "Theirs", "No rows yet",
    ]  # fmt: skip


def test_change_of_the_same_lines_elsewhere_is_reported(layout: Layout, tmp_path: Path) -> None:
    """Nothing is lost on either side, and the checkout is not left half-way."""
    remote, other = tmp_path / "remote.git", tmp_path / "other"
    git(tmp_path, "clone", "--bare", "--quiet", str(layout.root), str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(other))
    git(layout.root, "remote", "add", "origin", str(remote))
    (other / "README.md").write_text("theirs")
    git(other, "commit", "--quiet", "-a", "-m", "Theirs")
    git(other, "push", "--quiet")
    (layout.root / "README.md").write_text("ours")
    with pytest.raises(LabError, match="git failed"):
        Repository(layout).commit([layout.root / "README.md"], "Ours")
    assert git(layout.root, "log", "-1", "--format=%s") == "Ours"
    assert git(layout.root, "symbolic-ref", "--short", "HEAD") == "main"
    assert (layout.root / "README.md").read_text() == "ours"
