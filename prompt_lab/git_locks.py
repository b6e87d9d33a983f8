"""The locks that a killed git leaves in the data repo, which the next command removes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prompt_lab.git import Git

_MARK = "plumbline-at-work"
_LOCKS = ("index.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock")


@contextmanager
def at_work(git: Git) -> Iterator[None]:
    """Mark that our git is at work, and remove the locks of one that was killed at it.

    The caller holds a lock of ours, and so does the git of a killed command for as long as it
    lives. A mark therefore says that both are gone. Where there is no mark, a lock is of the user's
    own git, and stays.
    """
    mark = git.folder / _MARK
    if mark.exists():
        branch = git.attempt("symbolic-ref", "HEAD")
        for name in (*_LOCKS, *([f"{branch}.lock"] if branch else [])):
            (git.folder / name).unlink(missing_ok=True)
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)
