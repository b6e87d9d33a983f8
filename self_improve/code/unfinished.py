"""Worktrees that git began to create and did not finish, because it was killed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_UNFINISHED = "initializing"
_LEAF = re.compile(r"(?:^|-)[0-9a-f]{12}\d*\Z")


def is_unfinished(admin: Path) -> bool:
    """Whether git began to create a worktree, and has not ended; `admin` is its record of it."""
    return _text(admin / "locked") == _UNFINISHED


def sweep(common: Path, folder: Path) -> None:
    """Remove git's records of unfinished worktrees of ours, which are in `folder`.

    A fetch reads the heads of all worktrees, and that of an unfinished one names no commit. The
    caller holds the lock of the repository, and so does our git for as long as it lives.
    """
    records = common / "worktrees"
    for admin in sorted(records.iterdir()) if records.is_dir() else ():
        path = Path(_text(admin / "gitdir")).parent
        if is_unfinished(admin) and (path.parent == folder or _LEAF.search(admin.name)):
            shutil.rmtree(admin)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
