"""Calls of the kernel that Python has no function for."""

from __future__ import annotations

import ctypes
import os
import sys

# Looked up at import, because a process that was just forked should import nothing.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def prctl(option: int, *arguments: int | bytes) -> int:
    """Set something of this process; return a negative number where it is refused."""
    if _LIBC is None:
        return -1
    converted = [a if isinstance(a, bytes) else ctypes.c_ulong(a) for a in arguments]
    return int(_LIBC.prctl(option, *converted, *[ctypes.c_ulong(0)] * (4 - len(converted))))


def syscall(number: int, *arguments: object) -> int:
    """Make a system call; return a negative number where it is refused."""
    return -1 if _LIBC is None else int(_LIBC.syscall(ctypes.c_long(number), *arguments))


def mount(source: str, target: str, kind: str, flags: int) -> int:
    """Mount a file system; return a negative number where it is refused."""
    if _LIBC is None:
        return -1
    names = [text.encode() for text in (source, target, kind)]
    return int(_LIBC.mount(*names, ctypes.c_ulong(flags), None))


def checked(result: int) -> int:
    """Return `result` unless it stands for an error.

    Raises:
        OSError: it is one.
    """
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
