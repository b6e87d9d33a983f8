"""The directory of one worktree: whether it is whole, and how it goes without losing anything."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from self_improve.code import git as git_command
from self_improve.code.git import GitError
from self_improve.errors import UsageError

LEFT = "refs/plumbline/left"
_BYTECODE = "__pycache__"
_UNFINISHED = "initializing"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """The worktree at `path` for `branch`; `common` is the directory of its repository."""

    common: Path
    path: Path
    branch: str

    def git(
        self, *words: str, keep: int | None = None, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run git in the worktree, by our own knowledge of where its repository is.

        The worktree's `.git` file is not asked: whoever writes there could name a repository
        whose settings start programs.

        Raises:
            UsageError: git knows nothing of this worktree.
            GitError: git refuses.
        """
        admin = self._admin()
        if admin is None:
            raise UsageError(f"{self.path} is no worktree of {self.common} any more.")
        return git_command.run(
            self.path, *words,
            environment={"GIT_DIR": str(admin), "GIT_WORK_TREE": str(self.path)}
            | dict(environment or {}),
            keep=() if keep is None else (keep,),
        )  # fmt: skip

    def at(self) -> tuple[str | None, str]:
        """Return the branch that is checked out, None if it is none, and its commit."""
        commit, named = self.git("rev-parse", "HEAD", "--symbolic-full-name", "HEAD").split("\n")
        return (named.removeprefix("refs/heads/") if named != "HEAD" else None), commit

    def changed(self) -> tuple[str, ...]:
        """Return the files that differ from the commit, new ones included, Python's own not."""
        told = self.git("status", "--porcelain", "-z", "-uall", "--no-renames")
        paths = (row[3:] for row in told.split("\0") if row)
        return tuple(sorted(p for p in paths if _BYTECODE not in PurePosixPath(p).parts))

    def is_ready(self) -> bool:
        """Whether the worktree is whole, on its branch and unchanged.

        Only for who holds the lock of the repository.
        """
        try:
            return self._is_whole() and self.at()[0] == self.branch and not self.changed()
        except GitError:
            return False

    def discard(self) -> None:
        """Remove the worktree and git's knowledge of it.

        What it holds beyond its branch is kept under `refs/plumbline/left`, or where git knows
        nothing of it in a directory beside it. Only for who holds the lock of the repository.

        Raises:
            GitError: git cannot keep it.
        """
        admin = self._admin()
        if admin is None:
            if self.path.exists():
                self.path.rename(_free(self.path))
            return
        if self._is_whole():
            self._keep()
        # Not `git worktree prune`: it would forget worktrees on drives that are unplugged.
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(admin)

    def _admin(self) -> Path | None:
        """Return git's own directory for the worktree."""
        folder = self.common / "worktrees"
        for admin in sorted(folder.iterdir()) if folder.is_dir() else ():
            try:
                known = (admin / "gitdir").read_text(encoding="utf-8").strip()
            except OSError:
                known = ""
            # Git may have been killed before it wrote that file.
            if known == str(self.path / ".git") or (not known and admin.name == self.path.name):
                return admin
        return None

    def _is_whole(self) -> bool:
        """Whether git had finished making it, and its link to the repository is git's own.

        The lock of a git that was killed in it is taken away.
        """
        admin = self._admin()
        if admin is None or _text(self.path / ".git") != f"gitdir: {admin}":
            return False
        if _text(admin / "locked") == _UNFINISHED or not (admin / "index").is_file():
            return False
        (admin / "index.lock").unlink(missing_ok=True)
        return True

    def _keep(self) -> None:
        """Give what the worktree holds beyond its branch a name, so that git never drops it."""
        try:
            branch, head = self.at()
        except GitError:
            branch, head = None, ""  # Its branch was deleted.
        if branch == self.branch and not self.changed():
            return
        index = {"GIT_INDEX_FILE": str(self.common / f"plumbline-{self.path.name}")}
        try:
            self.git("read-tree", head or "--empty", environment=index)
            self.git("add", "--all", environment=index)
            tree = self.git("write-tree", environment=index)
        finally:
            Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        told = f"Left in the worktree of {self.branch}"
        who = identity("Plumbline")
        parent = ["-p", head] if head else []
        kept = self.git("commit-tree", tree, *parent, "-m", told, environment=who)
        self.git("update-ref", f"{LEFT}/{self.path.name}/{kept[:12]}", kept)


def identity(author: str) -> dict[str, str]:
    """Return the environment that names an author; the committer is this program."""
    return {
        "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": "plumbline@localhost",
        "GIT_COMMITTER_NAME": "Plumbline", "GIT_COMMITTER_EMAIL": "plumbline@localhost",
    }  # fmt: skip


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Wait until no other thread or process works on `folder`, and yield the lock's handle.

    The lock is on the directory itself, so nothing is left in it. A child that holds the handle
    keeps the lock if this process dies.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _free(path: Path) -> Path:
    """Return a name beside `path` that nothing has."""
    names = (path.with_name(f"{path.name}.left-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
