"""The directory of one worktree: whether it is intact, and how to remove it without loss."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from model_gateway.keys import Redactor
from prompt_lab import leaks
from self_improve.code import git as git_command
from self_improve.code.git import GitError
from self_improve.code.unfinished import is_unfinished
from self_improve.errors import UsageError

LEFT = "refs/plumbline/left"
_BYTECODE = "__pycache__"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """The worktree at `path` for `branch`; `common` is the directory of its repository.

    `redactor` knows the keys that git must not see.
    """

    common: Path
    path: Path
    branch: str
    redactor: Redactor = field(repr=False)

    def git(
        self, *words: str, keep: int | None = None, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run git in the worktree, without reading its `.git` file.

        A program that writes there could name a repository whose settings start programs.

        Raises:
            UsageError: git does not know this worktree.
            GitError: git refuses.
        """
        admin = self._admin()
        if admin is None:
            raise UsageError(f"{self.path} is no longer a worktree of {self.common}.")
        return git_command.run(
            self.path, *words,
            environment={"GIT_DIR": str(admin), "GIT_WORK_TREE": str(self.path)}
            | dict(environment or {}),
            keep=() if keep is None else (keep,),
        )  # fmt: skip

    def head(self) -> tuple[str | None, str]:
        """Return the branch that is checked out, None if there is none, and its commit."""
        commit, named = self.git("rev-parse", "HEAD", "--symbolic-full-name", "HEAD").split("\n")
        return (named.removeprefix("refs/heads/") if named != "HEAD" else None), commit

    def changed(self) -> tuple[str, ...]:
        """Return the files that differ from the commit, new ones included, bytecode excluded."""
        status = self.git("status", "--porcelain", "-z", "-uall", "--no-renames")
        paths = (row[3:] for row in status.split("\0") if row)
        return tuple(sorted(p for p in paths if _BYTECODE not in PurePosixPath(p).parts))

    def contents(self, names: Iterable[str]) -> dict[str, str | bytes]:
        """Return what is in files of the worktree, and where links lead; deleted ones are empty."""
        return {name: _content(self.path / name) for name in names}

    def is_ready(self) -> bool:
        """Whether the worktree is intact, on its branch and unchanged.

        The caller holds the lock of the repository.
        """
        try:
            return self._is_intact() and self.head()[0] == self.branch and not self.changed()
        except GitError:
            return False

    def discard(self) -> None:
        """Remove the worktree and git's record of it.

        What it holds beyond its branch is stored under `refs/plumbline/left`; a directory that git
        does not know, or that holds a key, is renamed. The caller holds the lock of the repository.

        Raises:
            GitError: git cannot store it.
        """
        admin = self._admin()
        if admin is None:
            if self.path.exists():
                self.path.rename(_free(self.path))
            return
        if self._is_intact():
            if self._holds_key():
                self.path.rename(_free(self.path))
            else:
                self._save()
        # Not `git worktree prune`, which would forget worktrees on unplugged drives.
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(admin)

    def _admin(self) -> Path | None:
        """Return git's own directory for the worktree."""
        folder = self.common / "worktrees"
        for admin in sorted(folder.iterdir()) if folder.is_dir() else ():
            try:
                recorded = (admin / "gitdir").read_text(encoding="utf-8").strip()
            except OSError:
                recorded = ""
            # Git may have been killed before it wrote that file.
            if recorded == str(self.path / ".git") or (
                not recorded and admin.name == self.path.name
            ):
                return admin
        return None

    def _is_intact(self) -> bool:
        """Whether git had finished creating it, and its link to the repository is git's own.

        The lock of a killed git in it is removed.
        """
        admin = self._admin()
        if admin is None or _text(self.path / ".git") != f"gitdir: {admin}":
            return False
        if is_unfinished(admin) or not (admin / "index").is_file():
            return False
        (admin / "index.lock").unlink(missing_ok=True)
        return True

    def _holds_key(self) -> bool:
        """Whether what would be stored of the worktree holds a key."""
        texts = self.contents(self.changed())
        return any(next(leaks.faults(self.redactor, n, t), None) for n, t in texts.items())

    def _save(self) -> None:
        """Store what the worktree holds beyond its branch under a ref, so that git keeps it."""
        try:
            branch, head = self.head()
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
        message = f"Left in the worktree of {self.branch}"
        author = author_variables("Plumbline")
        parent = ["-p", head] if head else []
        saved = self.git("commit-tree", tree, *parent, "-m", message, environment=author)
        self.git("update-ref", f"{LEFT}/{self.path.name}/{saved[:12]}", saved)


def author_variables(author: str) -> dict[str, str]:
    """Return the environment variables that name an author; the committer is this program."""
    return {
        "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": "plumbline@localhost",
        "GIT_COMMITTER_NAME": "Plumbline", "GIT_COMMITTER_EMAIL": "plumbline@localhost",
    }  # fmt: skip


def _content(path: Path) -> str | bytes:
    if path.is_symlink():
        return str(path.readlink())
    return path.read_bytes() if path.is_file() else b""


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _free(path: Path) -> Path:
    """Return an unused name beside `path`."""
    names = (path.with_name(f"{path.name}.left-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
