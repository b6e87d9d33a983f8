"""A candidate's worktree: its names, its commits, and which paths are in it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from self_improve.errors import UsageError

PREFIX = "plumbline"
_LONGEST_SLUG = 40


@dataclass(frozen=True, kw_only=True)
class Worktree:
    """A candidate's worktree.

    `path` is its top, `code` the code tree in it. `commit` is the tip of its branch, which is
    `base` until something is committed.
    """

    leaf: str
    path: Path
    code: Path
    base: str
    commit: str

    @property
    def branch(self) -> str:
        """The name of its branch."""
        return f"{PREFIX}/{self.leaf}"


def leaf_of(candidate: str) -> str:
    """Return the last part of a candidate's branch and worktree, made of a-z, 0-9 and dashes.

    Two ids never have the same one, not even on file systems that ignore case.
    """
    plain = unicodedata.normalize("NFKD", candidate).casefold()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST_SLUG].strip("-")
    digest = hashlib.sha256(candidate.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{slug}-{digest}" if slug else digest


def inside(tree: Worktree, folder: Path, name: str) -> Path:
    """Return the path of a file in a worktree.

    Raises:
        UsageError: it leads elsewhere, or into git's own files.
    """
    path = folder.joinpath(*PurePosixPath(name).parts)
    if (
        not name
        or ".." in PurePosixPath(name).parts
        or PurePosixPath(name).is_absolute()
        or path.resolve() != path
        or not path.is_relative_to(tree.path)
        or ".git" in path.relative_to(tree.path).parts
    ):
        raise UsageError(f"{name!r} is not a file of the worktree {tree.path}.")
    return path
