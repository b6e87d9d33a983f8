"""Kernel settings for parent and child processes, where the kernel has them (Linux)."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
# Looked up at import, because a process that was just forked should import nothing.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with_parent() -> bool:
    """Have this process killed when its parent dies; return whether that is set."""
    return _ask(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> bool:
    """Make this process, not init, the parent of orphaned descendants."""
    return _ask(_PR_SET_CHILD_SUBREAPER, 1)


def hide_from_others() -> bool:
    """Have no other process of this user read this one's memory and environment, or trace it."""
    return _ask(_PR_SET_DUMPABLE, 0)


def _ask(option: int, value: int) -> bool:
    return _PRCTL is not None and _PRCTL(option, value) == 0
