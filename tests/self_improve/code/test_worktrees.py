"""Worktrees of candidates: made, committed in, resumed and removed beside a checkout that stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.keys import Redactor
from prompt_lab.claim import directory_lock
from prompt_lab.leaks import LeakError
from self_improve.code import checkout, worktree
from self_improve.code import git as git_command
from self_improve.code.git import GitError
from self_improve.code.patch import patched
from self_improve.code.worktree import Worktree, leaf_of
from self_improve.code.worktrees import Worktrees
from self_improve.errors import UsageError
from tests.waiting import LONGEST

PROMPT = "code/host/prompts.py"
TEXTS = {"host.prompts:NAME": "a new text"}
CANDIDATE = "identify levers/7: shorter"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *words: str) -> str:
    """Run git as the user would, and return what it says."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a user's checkout on a branch, with staged, unstaged, new and stashed changes."""
    root = tmp_path_factory.mktemp("original") / "user"
    for name, text in {
        PROMPT: 'NAME = "an old text"\nOTHER = "another"\n',
        "code/host/__init__.py": "",
        "README.md": "Hello.\n",
        ".gitignore": "*.log\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "First")
    (root / "README.md").write_text("Stashed.\n")
    git(root, "stash")
    git(root, "checkout", "-q", "-b", "feature")
    (root / "README.md").write_text("Staged.\n")
    git(root, "add", "README.md")
    (root / PROMPT).write_text('NAME = "unstaged"\n')
    (root / "new.txt").write_text("New.\n")
    hook = root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\ntouch hook-ran; exit 1\n")
    hook.chmod(0o755)
    shutil.copy(hook, root / ".git/hooks/post-checkout")
    return root


@pytest.fixture
def user(original: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(original, tmp_path / "user"))


def state_of(root: Path) -> dict[str, Any]:
    """Return everything that is the user's own: head, index, files, stash, settings, branches."""
    files = [p for p in root.rglob("*") if p.is_file() and ".git" not in p.relative_to(root).parts]
    result = ("HEAD", "index", "config", "logs/HEAD", "logs/refs/stash", "refs/stash")
    refs = git(root, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return {
        "files": {p.relative_to(root).as_posix(): p.read_bytes() for p in files},
        "git": {name: (root / ".git" / name).read_bytes() for name in result},
        "refs": [row for row in refs if "/plumbline/" not in row],
        "top": sorted(p.name for p in (root / ".git").iterdir() if p.name != "worktrees"),
    }


@pytest.fixture
def trees(user: Path, tmp_path: Path) -> Iterator[Worktrees]:
    """Return its worktrees; whatever a test does, the user's own things must be as they were."""
    before = state_of(user)
    yield Worktrees(user / "code", tmp_path / "data/.scratch/worktrees")
    assert state_of(user) == before


def committed(trees: Worktrees, candidate: str = CANDIDATE, base: str = "main") -> Worktree:
    """Make a candidate as an iteration would: worktree, patch, commit."""
    tree = trees.open(candidate, base)
    files = {path: change.after for path, change in patched(tree.code, TEXTS).items()}
    return trees.commit(
        tree, trees.write(tree, files) or [PROMPT], message=f"Try {candidate}\n\nSay it shorter."
    )


def test_candidate_is_a_commit_on_a_branch_of_its_own(trees: Worktrees, user: Path) -> None:
    """On the named base, whatever the checkout holds, and nothing but the patched file differs."""
    tree = committed(trees)
    assert tree.base == git(user, "rev-parse", "main")
    assert git(user, "rev-parse", tree.branch, f"{tree.branch}^").split() == [
        tree.commit,
        tree.base,
    ]
    assert git(user, "diff", "--name-only", tree.base, tree.commit) == PROMPT
    assert (tree.code / "host/prompts.py").read_text() == 'NAME = "a new text"\nOTHER = "another"\n'
    assert git(tree.path, "status", "--porcelain") == ""
    assert git(tree.path, "branch", "--show-current") == tree.branch


def test_commit_tells_the_candidate(trees: Worktrees, user: Path) -> None:
    """In its message, a trailer and its author; no identity has to be set up."""
    tree = committed(trees)
    line = git(user, "log", "-1", "--format=%an|%cn|%B", tree.commit)
    assert line == (
        f"Plumbline candidate {tree.leaf}|Plumbline|Try {CANDIDATE}\n\nSay it shorter.\n\n"
        f"Plumbline-Candidate: {tree.leaf}"
    )


def test_same_candidate_is_the_same_worktree(trees: Worktrees) -> None:
    """Opened again, before and after the commit, nothing is made and nothing lost."""
    first = trees.open(CANDIDATE, "main")
    assert trees.open(CANDIDATE, "main") == first
    done = committed(trees)
    assert trees.open(CANDIDATE, "main") == done
    assert committed(trees) == done


def test_hostile_message_is_stored_as_text(trees: Worktrees, user: Path) -> None:
    """Control characters go; a trailer that a text brings along does not count."""
    tree = trees.open(CANDIDATE, "main")
    files = trees.write(tree, {"host/prompts.py": b"A = 1\n"})
    hostile = "--amend\x00\x1b[2J\ud800\n# kept\n\nPlumbline-Candidate: other"
    done = trees.commit(tree, files, message=hostile)
    assert git(user, "log", "-1", "--format=%B", done.commit).splitlines()[:3] == [
        "--amend[2J", "# kept", "",
    ]  # fmt: skip
    assert trees.open(CANDIDATE, "main") == done


@pytest.mark.parametrize(
    "candidate",
    ["../../etc/passwd", "-rf", "a b; rm -rf ~", "refs/heads/main", "x.lock", "@{-1}", "", "..",
     "計画", "\ud800", "\x00\n", "a" * 5000, "Übung"],
)  # fmt: skip
def test_untrusted_id_reaches_no_ref_and_no_path(trees: Worktrees, candidate: str) -> None:
    """Whatever an id holds, branch and directory are plain, below their place."""
    tree = trees.open(candidate, "main")
    assert tree.path.parent.name == "worktrees"
    assert tree.path.is_dir()
    assert tree.branch.removeprefix("plumbline/") == tree.path.name


@settings(deadline=None)
@given(st.text(), st.text())
def test_two_ids_never_share_a_branch(one: str, other: str) -> None:
    """Nor on a file system that does not tell case apart; and every name is a plain one."""
    assert (leaf_of(one).lower() == leaf_of(other).lower()) == (one == other)
    assert set(leaf_of(one)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert leaf_of(one)[0] != "-"
    assert len(leaf_of(one)) <= 60


def test_several_candidates_at_once(trees: Worktrees, user: Path) -> None:
    """Threads make and commit eight of them side by side, each with its own content."""
    result: dict[int, Worktree] = {}

    def make(number: int) -> None:
        tree = trees.open(f"candidate {number}", "main")
        paths = trees.write(tree, {"host/prompts.py": f'NAME = "text {number}"\n'.encode()})
        result[number] = trees.commit(tree, paths, message=f"Candidate {number}")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        tree = result[number]
        assert git(user, "show", f"{tree.branch}:{PROMPT}") == f'NAME = "text {number}"'
        assert git(user, "rev-list", "--count", f"main..{tree.branch}") == "1"
        assert git(tree.path, "status", "--porcelain") == ""


def test_hook_around_us_changes_nothing(
    trees: Worktrees, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from a git hook, the variables that git has set there lead nowhere."""
    for name, value in {
        "GIT_DIR": user / ".git", "GIT_INDEX_FILE": user / ".git/index", "GIT_WORK_TREE": user,
        "GIT_PREFIX": "code/",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    tree = committed(trees)
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"):
        monkeypatch.delenv(name)
    assert git(user, "diff", "--name-only", tree.base, tree.commit) == PROMPT


def test_other_changes_in_the_worktree_refuse_the_commit(trees: Worktrees) -> None:
    """Nothing is committed that was not asked for, and the message names it."""
    tree = trees.open(CANDIDATE, "main")
    paths = trees.write(tree, {"host/prompts.py": b"A = 1\n"})
    (tree.path / "README.md").write_text("Changed by the by.\n")
    (tree.path / "stray.txt").write_text("New.\n")
    assert trees.changed(tree) == ("README.md", PROMPT, "stray.txt")
    with pytest.raises(UsageError, match=r"nothing was committed: README.md, stray.txt"):
        trees.commit(tree, paths, message="Try")


def test_bytecode_is_no_change(trees: Worktrees) -> None:
    """A host that ignores no bytecode gets some when its modules are imported."""
    tree = committed(trees)
    (tree.code / "host/__pycache__").mkdir()
    (tree.code / "host/__pycache__/prompts.pyc").write_bytes(b"x")
    assert trees.changed(tree) == ()
    assert trees.open(CANDIDATE, "main") == tree
    assert (tree.code / "host/__pycache__/prompts.pyc").exists()


def test_candidate_without_a_change_is_refused(trees: Worktrees) -> None:
    """It would be the baseline."""
    tree = trees.open(CANDIDATE, "main")
    with pytest.raises(UsageError, match="Nothing was changed"):
        trees.commit(tree, [PROMPT], message="Try")


@pytest.mark.parametrize(
    "name", ["../README.md/../../x", "/etc/passwd", "../../outside", "../.git", "link/x", "", ".."]
)
def test_path_out_of_the_worktree_is_refused(trees: Worktrees, tmp_path: Path, name: str) -> None:
    """By dots, from the root, through a link, or into git's own files."""
    tree = trees.open(CANDIDATE, "main")
    (tree.code / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is not a file of the worktree"):
        trees.write(tree, {name: b"x"})


@pytest.mark.parametrize("base", ["nothing", "--all", "", "a b", "x\x00", "main^{tree}", "main:x"])
def test_base_that_names_no_commit_is_refused(trees: Worktrees, base: str) -> None:
    """Whatever it looks like to git."""
    with pytest.raises(UsageError, match="is not a commit"):
        trees.open(CANDIDATE, base)


def test_base_without_the_code_is_refused(trees: Worktrees, user: Path) -> None:
    """The code tree must be in the commit that a candidate starts from."""
    tree = git(user, "mktree", "--missing", "--batch")
    commit = git(user, "commit-tree", "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "-m", "Empty")
    assert tree == ""
    with pytest.raises(UsageError, match="There is no code in the commit"):
        trees.open(CANDIDATE, commit)


def test_place_outside_of_git_is_refused(tmp_path: Path) -> None:
    """A candidate as a branch needs a repository, and the message says so."""
    with pytest.raises(UsageError, match="is in no git repository"):
        Worktrees(tmp_path, tmp_path / "w").commit_of("main")


def moved_on(user: Path) -> str:
    """Return a commit after main, which the branch `ahead` names."""
    commit = git(user, "commit-tree", "main^{tree}", "-p", "main", "-m", "Second")
    git(user, "branch", "-f", "ahead", commit)
    return commit


def test_base_that_moved_takes_an_empty_candidate_along(user: Path, tmp_path: Path) -> None:
    """Nothing was committed, so the branch starts from the new base."""
    trees = Worktrees(user / "code", tmp_path / "w")
    old = trees.open(CANDIDATE, "main")
    new = trees.open(CANDIDATE, moved_on(user))
    assert (new.branch, new.base) == (old.branch, git(user, "rev-parse", "ahead"))
    assert git(new.path, "rev-parse", "HEAD") == new.base
    assert git(user, "for-each-ref", checkout.LEFT) == ""


def test_base_that_moved_leaves_a_made_candidate(user: Path, tmp_path: Path) -> None:
    """It was measured against its own base: another one is refused, and its own goes on."""
    trees = Worktrees(user / "code", tmp_path / "w")
    tree = committed(trees)
    with pytest.raises(UsageError, match=r"was begun from .* Use that base"):
        trees.open(CANDIDATE, moved_on(user))
    assert trees.open(CANDIDATE, tree.base) == tree


def test_branch_of_somebody_else_is_left_alone(user: Path, tmp_path: Path) -> None:
    """A branch of the same name with other commits is refused with the command that helps."""
    moved_on(user)
    git(user, "branch", f"plumbline/{leaf_of(CANDIDATE)}", "ahead")
    with pytest.raises(UsageError, match=r"other commits.*git branch -m"):
        Worktrees(user / "code", tmp_path / "w").open(CANDIDATE, "main")


def test_branch_that_blocks_the_name_is_reported(user: Path, tmp_path: Path) -> None:
    """A branch `plumbline` leaves no room for `plumbline/…`; git's words are passed on."""
    git(user, "branch", "plumbline")
    with pytest.raises(GitError, match=r"git update-ref failed.*plumbline"):
        Worktrees(user / "code", tmp_path / "w").open(CANDIDATE, "main")


def test_commit_by_somebody_else_is_refused(trees: Worktrees) -> None:
    """An agent that commits by itself has made no candidate of ours."""
    tree = trees.open(CANDIDATE, "main")
    git(tree.path, "-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "Mine")
    with pytest.raises(UsageError, match="Another commit was made"):
        trees.commit(tree, [PROMPT], message="Try")


def left(user: Path) -> list[str]:
    """Return the commits that were kept of what was uncommitted."""
    return git(user, "for-each-ref", "--format=%(refname)", checkout.LEFT).split()


def test_uncommitted_changes_are_kept_and_taken_away(trees: Worktrees, user: Path) -> None:
    """Opened again after a kill in the middle of an edit, it is clean, and the edit has a name."""
    tree = committed(trees)
    (tree.path / "README.md").write_text("Half an edit.\n")
    (tree.path / "new.txt").write_text("A new file.\n")
    git(tree.path, "add", "new.txt")
    assert trees.open(CANDIDATE, "main") == tree
    assert git(tree.path, "status", "--porcelain") == ""
    (leftover,) = left(user)
    assert (
        git(user, "show", f"{leftover}:README.md", f"{leftover}:new.txt")
        == "Half an edit.\nA new file."
    )
    assert git(user, "rev-parse", f"{leftover}^") == tree.commit


def test_worktree_on_another_branch_is_made_anew(trees: Worktrees, user: Path) -> None:
    """What was committed there without a branch is kept too."""
    tree = committed(trees)
    git(tree.path, "-c", "core.hooksPath=/dev/null", "checkout", "-q", "--detach")
    git(tree.path, "-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "Lost?")
    lost = git(tree.path, "rev-parse", "HEAD")
    assert trees.open(CANDIDATE, "main") == tree
    assert git(tree.path, "branch", "--show-current") == tree.branch
    assert git(user, "rev-parse", f"{left(user)[0]}^") == lost


def test_removal_keeps_what_no_forge_has(trees: Worktrees, user: Path) -> None:
    """The directory goes; the branch stays until its commit was pushed; nothing is lost."""
    tree = committed(trees)
    (tree.path / "README.md").write_text("Half an edit.\n")
    assert not trees.remove(tree)
    assert not tree.path.exists()
    assert git(user, "rev-parse", tree.branch) == tree.commit
    assert len(left(user)) == 1
    assert trees.open(CANDIDATE, "main") == tree
    assert not trees.remove(tree, pushed=tree.base[:-1] + "0")
    assert trees.remove(tree, pushed=tree.commit)
    assert git(user, "branch", "--list", tree.branch) == ""
    assert trees.remove(tree)
    assert str(tree.path) not in git(user, "worktree", "list")


def test_removal_after_the_branch_was_deleted_keeps_the_files(trees: Worktrees, user: Path) -> None:
    """Even without a branch the worktree's content gets a name."""
    tree = committed(trees)
    git(user, "update-ref", "-d", f"refs/heads/{tree.branch}")
    assert trees.remove(tree)
    assert git(user, "show", f"{left(user)[0]}:{PROMPT}").startswith('NAME = "a new')


def test_empty_candidate_is_removed_whole(trees: Worktrees, user: Path) -> None:
    """A branch without a commit of its own is nothing to keep."""
    assert trees.remove(trees.open(CANDIDATE, "main"))
    assert left(user) == []


def test_worktree_that_git_forgot_is_moved_aside(trees: Worktrees, user: Path) -> None:
    """A directory that no repository knows might hold work, so it stays beside the new one."""
    tree = committed(trees)
    shutil.rmtree(user / ".git/worktrees" / tree.leaf)
    assert trees.open(CANDIDATE, "main") == tree
    assert (tree.path.with_name(f"{tree.leaf}.left-1") / PROMPT).is_file()


def test_file_that_names_another_repository_is_not_believed(
    trees: Worktrees, tmp_path: Path
) -> None:
    """A `.git` file that an agent wrote could name settings that start programs."""
    tree = committed(trees)
    evil = tmp_path / "evil"
    git(tmp_path, "init", "-q", "--bare", str(evil))
    git(evil, "config", "core.fsmonitor", f"touch {tmp_path}/ran")
    (tree.path / ".git").write_text(f"gitdir: {evil}\n")
    assert trees.changed(tree) == ()
    assert trees.open(CANDIDATE, "main") == tree
    assert (tree.path / ".git").read_text() != f"gitdir: {evil}\n"
    assert not (tmp_path / "ran").exists()


def half_made(user: Path, tree: Worktree, how: str) -> None:
    """Leave a worktree as a killed git would."""
    admin = user / ".git/worktrees" / tree.leaf
    if how == "unfinished":
        (admin / "locked").write_text("initializing")
        (tree.path / PROMPT).unlink()
    elif how == "no files":
        shutil.rmtree(tree.path)
    elif how == "no link":
        (tree.path / ".git").unlink()
    elif how == "no gitdir":
        (admin / "gitdir").unlink()
        shutil.rmtree(tree.path)
    elif how == "no index":
        (admin / "index").unlink()
    elif how == "index locked":
        (admin / "index.lock").write_bytes(b"")
    elif how == "branch locked":
        (user / ".git/refs/heads" / f"{tree.branch}.lock").write_bytes(b"")
    elif how == "only a branch":
        shutil.rmtree(tree.path)
        shutil.rmtree(admin)


@pytest.mark.parametrize("with_commit", [False, True])
@pytest.mark.parametrize(
    "how",
    ["unfinished", "no files", "no link", "no gitdir", "no index", "index locked", "branch locked",
     "only a branch"],
)  # fmt: skip
def test_half_made_worktree_is_made_whole(
    trees: Worktrees, user: Path, how: str, *, with_commit: bool
) -> None:
    """Wherever git was killed, the same call finishes the work, and keeps no ghosts."""
    tree = committed(trees) if with_commit else trees.open(CANDIDATE, "main")
    half_made(user, tree, how)
    assert trees.open(CANDIDATE, "main") == tree
    assert committed(trees).base == tree.base
    assert git(tree.path, "status", "--porcelain") == ""
    assert left(user) == []


SHIM = """\
#!/bin/sh
echo x >> {count}
if [ "$(wc -l < {count})" -eq {at} ]; then
  {before}kill -9 $PPID
  exit 1
fi
exec {git} "$@"
"""


def run_and_die(trees: Worktrees, folder: Path, at: int, *, after: bool) -> bool:
    """Make a candidate in a child that is killed at its n-th git; return whether it was."""
    folder.mkdir(parents=True)
    real = shutil.which("git")
    before = f'{real} "$@"; ' if after else ""
    shim = folder / "git"
    shim.write_text(SHIM.format(count=folder / "count", at=at, before=before, git=real))
    shim.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        try:
            committed(trees)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_kill_at_any_git_is_made_good(trees: Worktrees, user: Path, tmp_path: Path) -> None:
    """Killed before or after each of its calls, the same command ends with the same one commit."""
    trees.commit_of("main")
    at, died = 1, True
    while died:
        died = run_and_die(trees, tmp_path / f"shim{at}", at, after=at % 2 == 0)
        tree = committed(trees)
        assert git(user, "rev-list", tree.branch, "--not", "main") == tree.commit
        assert git(user, "diff", "--name-only", "main", tree.commit) == PROMPT
        assert git(tree.path, "status", "--porcelain") == ""
        trees.remove(tree, pushed=tree.commit)
        at += 1
    assert at > 12


def test_lock_outlives_its_owner(tmp_path: Path) -> None:
    """A git that goes on after its command was killed still keeps others out."""
    with directory_lock(tmp_path) as lock:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock])
    entered = threading.Event()

    def enter() -> None:
        with directory_lock(tmp_path):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.3)
    child.communicate()
    waiting.join(LONGEST)
    assert entered.is_set()


def test_git_that_takes_too_long_is_ended(user: Path) -> None:
    """A call has a limit, and the message says which it was."""
    with pytest.raises(GitError, match="git -c failed"):
        git_command.run(
            user, "-c", "alias.slow=!exec sleep 20", "slow", seconds=0.2
        )  # fmt: skip


def test_missing_git_is_reported(
    user: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is missing and what to do."""
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git"):
        git_command.run(user, "status")


def test_settings_reach_git_unseen(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand in no list of arguments, and those of the environment stay."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Of the environment")
    output = git_command.run(user, "config", "--get-regexp", "user|x", settings=[("x.y", "z")])
    assert output.splitlines()[:1] == ["user.name Of the environment"]
    assert "x.y z" in output
    assert worktree.PREFIX == "plumbline"


def test_two_data_repos_have_the_same_candidate(user: Path, tmp_path: Path) -> None:
    """Each in a worktree of its own, on the one branch; the second finds what the first made."""
    first, second = (Worktrees(user / "code", tmp_path / name) for name in ("one", "two"))
    tree = first.open(CANDIDATE, "feature")
    assert second.open(CANDIDATE, "feature").path != tree.path
    changes = {name: change.after for name, change in patched(tree.code, TEXTS).items()}
    committed = first.commit(tree, first.write(tree, changes), message="Shorter")
    again = second.open(CANDIDATE, "feature")
    assert again.commit == committed.commit
    assert second.changed(again) == ()
    assert not patched(again.code, TEXTS)


def objects(root: Path) -> bytes:
    """Return all objects of a repository, also those that nothing refers to."""
    words = ["git", "-C", str(root), "cat-file", "--batch-all-objects", "--batch"]
    return subprocess.run(words, check=True, capture_output=True).stdout


def test_half_made_worktree_is_swept(trees: Worktrees, user: Path) -> None:
    """With one of them, git fetches nothing; that of the user's own git stays."""
    tree = trees.open(CANDIDATE, "main")
    others = user.parent / "elsewhere"
    git(user, "-c", "core.hooksPath=/dev/null", "worktree", "add", "-q", "--detach", str(others))
    records = user / ".git/worktrees"
    for name in (tree.leaf, "elsewhere"):
        (records / name / "locked").write_text("initializing")
    (records / tree.leaf / "HEAD").write_text("0" * 40 + "\n")
    trees.sweep()
    assert not (records / tree.leaf).exists()
    assert (records / "elsewhere").is_dir()
    (records / "elsewhere" / "locked").unlink()
    assert trees.open(CANDIDATE, "main") == tree


def test_file_with_a_key_is_not_committed(
    trees: Worktrees, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git has no object of it; without the key the same call commits."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    tree = trees.open(CANDIDATE, "main")
    with_keys = Worktrees(user / "code", tmp_path / "data/.scratch/worktrees", redactor=Redactor())
    paths = with_keys.write(tree, {"new.py": b"A = 'k-abcdefghijklm0123456789'\n"})
    with pytest.raises(LeakError, match=r"new\.py: it holds MINE_API_KEY"):
        with_keys.commit(tree, paths, message="Change it")
    with_keys.write(tree, {"new.py": b"A = 1\n"})
    with pytest.raises(LeakError, match="the commit's message: it holds MINE_API_KEY"):
        with_keys.commit(tree, paths, message="Use k-abcdefghijklm0123456789")
    assert b"k-abcdefghijklm0123456789" not in objects(user)
    assert with_keys.commit(tree, paths, message="Change it").commit != tree.commit


def test_key_left_in_a_worktree_is_stored_under_no_ref(
    trees: Worktrees, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is put aside, where a person can look at it."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    with_keys = Worktrees(user / "code", tmp_path / "data/.scratch/worktrees", redactor=Redactor())
    tree = with_keys.open(CANDIDATE, "main")
    (tree.path / "left.txt").write_text("k-abcdefghijklm0123456789")
    assert with_keys.open(CANDIDATE, "main") == tree
    assert not (tree.path / "left.txt").exists()
    aside = tree.path.with_name(f"{tree.leaf}.left-1")
    assert (aside / "left.txt").is_file()
    assert git(user, "for-each-ref", checkout.LEFT) == ""
    assert b"k-abcdefghijklm0123456789" not in objects(user)
