"""Commits to the data repo: one a phase, checked for secrets, and pushed."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from model_gateway.keys import Redactor
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.git import Git, GitError
from prompt_lab.layout import Layout

_PUSHES = 5
_LOCK_SECONDS = 120.0
_LARGEST = 64 * 1024 * 1024
_KEY_LIKE = re.compile(
    rb"\b(?:sk-(?:ant-|or-|proj-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}"
    rb"|github_pat_[A-Za-z0-9_]{30,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}"
    rb"|xox[abprs]-[A-Za-z0-9-]{20,})"
)


class Repository:
    """Commits the files of a phase. The user's own changes are neither committed nor touched.

    `secrets` are the names of environment variables whose values must never be committed.
    """

    def __init__(self, layout: Layout, *, secrets: Iterable[str] = ()) -> None:
        self._layout = layout
        self._secrets = tuple(secrets)

    def commit(self, paths: Sequence[Path], message: str) -> str | None:
        """Commit `paths` as they are and return the commit, or None if nothing changed.

        If a remote is set the commit is pushed, after a rebase onto commits of other processes.
        If killed, the same call finishes the work.

        Raises:
            LabError: a file holds a key or a path of this machine, or git failed.
        """
        git = Git(self._layout.root)
        names = [str(path.relative_to(self._layout.root)) for path in paths if path.exists()]
        try:
            with claim(self._layout, "commit", wait_seconds=_LOCK_SECONDS):
                git.name_author()
                git("add", "--", *names)
                listed = git("diff", "--cached", "--name-only", "-z", "--", *names).split("\0")
                changed = [name for name in listed if name]
                if changed:
                    self._check(changed, git)
                    self._commit(git, changed, message)
                commit = git("rev-parse", "HEAD") if changed else None
                self._push(git)
        except GitError as error:
            message = Redactor(self._secrets)(error.output.strip())
            raise LabError(
                f"The files are in {self._layout.root}, but git failed: {message}\nFix that and "
                "run the same command again to resume."
            ) from error
        return commit

    def _commit(self, git: Git, names: Sequence[str], message: str) -> None:
        """Commit only these files; they may be more than fit on a command line."""
        with tempfile.NamedTemporaryFile() as listed:
            listed.write("\0".join(names).encode("utf-8", "surrogateescape"))
            listed.flush()
            git(
                "commit", "--quiet", "--only", "-m", message, f"--pathspec-from-file={listed.name}",
                "--pathspec-file-nul",
            )  # fmt: skip

    def _check(self, names: Sequence[str], git: Git) -> None:
        """Unstage the files if one of them must not leave this machine.

        Raises:
            LabError: the files, and what is wrong with them.
        """
        problems = [p for name in names if (p := self._fault(self._layout.root / name)) is not None]
        if problems:
            git("reset", "--quiet", "--", *names)
            raise LabError(
                "Nothing was committed, because of these files:\n  " + "\n  ".join(problems)
            )

    def _fault(self, path: Path) -> str | None:
        name = path.relative_to(self._layout.root)
        if not path.is_file():
            return None
        if path.stat().st_size > _LARGEST:
            return f"{name}: over {_LARGEST // 1024 // 1024} MB"
        data = path.read_bytes()
        text = data.decode("utf-8", "replace")
        if _KEY_LIKE.search(data) or Redactor(self._secrets)(text) != text:
            return f"{name}: it holds what looks like a key"
        if any(path in text for path in _local_paths(self._layout)):
            return f"{name}: it holds a path of this machine"
        return None

    def _push(self, git: Git) -> None:
        """Push what the remote lacks; if it has moved, rebase and try again, several times."""
        remotes = git("remote").split()
        if not remotes:
            return
        remote = "origin" if "origin" in remotes else remotes[0]
        branch = git("symbolic-ref", "--short", "HEAD")
        for tries_left in range(_PUSHES - 1, -1, -1):
            try:
                git("push", "--quiet", remote, f"HEAD:refs/heads/{branch}")
            except GitError:
                if not tries_left:
                    raise
            else:
                return
            self._rebase(git, remote, branch)
            time.sleep(0.1 * (_PUSHES - tries_left))

    def _rebase(self, git: Git, remote: str, branch: str) -> None:
        try:
            git("fetch", "--quiet", remote, branch)
            git("rebase", "--quiet", "--autostash", "FETCH_HEAD")
        except GitError:
            git.attempt("rebase", "--abort")
            raise


def _local_paths(layout: Layout) -> tuple[str, ...]:
    """Return the paths that would reveal this machine: those of the data repo and of the user."""
    home = str(Path.home())
    paths = {str(layout.root), *((home,) if len(home) > len("/root") else ())}
    return tuple(f"{path}/" for path in sorted(paths))
