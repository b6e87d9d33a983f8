"""Commits to the data repo: one a phase, checked for keys before git sees a file, and pushed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from model_gateway import temporary
from model_gateway.keys import Redactor
from prompt_lab import leaks
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.git import Git, GitError
from prompt_lab.git_locks import at_work
from prompt_lab.layout import Layout
from prompt_lab.leaks import LeakError
from prompt_lab.remote_branch import RemoteBranch

_LOCK_SECONDS = 600.0
_LARGEST = 64 * 1024 * 1024


class Repository:
    """Commits the files of a phase. The user's own changes are neither committed nor touched.

    `redactor` knows the keys that must never be committed.
    """

    def __init__(self, layout: Layout, *, redactor: Redactor | None = None) -> None:
        self._layout = layout
        self._redactor = redactor or Redactor()

    def commit(self, paths: Sequence[Path], message: str) -> str | None:
        """Commit `paths` as they are and return the commit, or None if nothing changed.

        If a remote is set the commit is pushed, after those of other processes and machines.
        If killed, the same call finishes the work.

        Raises:
            LeakError: a file or the message holds a key.
            LabError: a file holds a path of this machine or is too large, or git failed.
        """
        git = Git(self._layout.root)
        try:
            with claim(self._layout, "commit", wait_seconds=_LOCK_SECONDS) as lock, at_work(git):
                git.name_author()
                changed = self._changed(git, paths)
                self._check(changed, message)
                if changed:
                    self._commit(git, changed, message, lock)
                commit = git("rev-parse", "HEAD") if changed else None
                RemoteBranch(git, lock).push()
        except GitError as error:
            output = self._redactor(error.output.strip())
            raise LabError(
                f"The files are in {self._layout.root}, but git failed: {output}\nFix that and "
                "run the same command again to resume."
            ) from error
        return commit

    def check(self, paths: Sequence[Path]) -> None:
        """Check what `commit` would commit for keys, and commit nothing.

        Raises:
            LeakError: a file holds a key.
            LabError: git failed.
        """
        git = Git(self._layout.root)
        try:
            changed = self._changed(git, paths)
        except GitError as error:
            output = self._redactor(error.output.strip())
            raise LabError(f"{self._layout.root}: git failed: {output}") from error
        self._require_no_keys(changed, "")

    def _changed(self, git: Git, paths: Sequence[Path]) -> list[str]:
        """Return the files below `paths` that differ from the last commit; nothing is staged."""
        names = [str(path.relative_to(self._layout.root)) for path in paths if path.exists()]
        if not names:
            return []
        status = git("status", "--porcelain", "-z", "-uall", "--no-renames", "--", *names)
        return [row[3:] for row in status.split("\0") if row]

    def _commit(self, git: Git, names: Sequence[str], message: str, lock: int) -> None:
        """Commit only these files; they may be more than fit on a command line."""
        with temporary.opened("commit") as folder:
            listed = folder / "names"
            listed.write_bytes("\0".join(names).encode("utf-8", "surrogateescape"))
            these = (f"--pathspec-from-file={listed}", "--pathspec-file-nul")
            git("add", "--all", *these, keep=[lock])
            git("commit", "--quiet", "--only", "-m", message, *these, keep=[lock])

    def _check(self, names: Sequence[str], message: str) -> None:
        """Check the files before git sees them: what it has once added is stored for good.

        Raises:
            LabError: the files, and what is wrong with them.
        """
        self._require_no_keys(names, message)
        problems = [fault for name in names if (fault := self._fault(name)) is not None]
        if problems:
            raise LabError(
                "Nothing was committed, because of these files:\n  " + "\n  ".join(problems)
            )

    def _require_no_keys(self, names: Sequence[str], message: str) -> None:
        problems = list(leaks.faults(self._redactor, "the commit's message", message))
        for name in names:
            problems += self._keys_in(name)
        if problems:
            raise LeakError(
                "Nothing was committed, because a key stands in these files of "
                f"{self._layout.root}:\n  " + "\n  ".join(problems) + "\nTake the key out of each, "
                "or delete the file if a command wrote it; then run the same command again."
            )

    def _keys_in(self, name: str) -> Iterator[str]:
        path = self._layout.root / name
        if path.is_symlink():
            yield from leaks.faults(self._redactor, name, str(path.readlink()))
        elif path.is_file() and path.stat().st_size <= _LARGEST:
            yield from leaks.faults(self._redactor, name, path.read_bytes())

    def _fault(self, name: str) -> str | None:
        path = self._layout.root / name
        if path.is_symlink() or not path.is_file():
            return None
        if path.stat().st_size > _LARGEST:
            return f"{self._redactor(name)}: over {_LARGEST // 1024 // 1024} MB"
        text = path.read_bytes().decode("utf-8", "replace")
        if any(local in text for local in _local_paths(self._layout)):
            return f"{self._redactor(name)}: it holds a path of this machine"
        return None


def _local_paths(layout: Layout) -> tuple[str, ...]:
    """Return the paths that would reveal this machine: those of the data repo and of the user."""
    home = str(Path.home())
    paths = {str(layout.root), *((home,) if len(home) > len("/root") else ())}
    return tuple(f"{path}/" for path in sorted(paths))
