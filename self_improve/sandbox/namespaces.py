"""A network and a table of processes of a process's own; see namespaces(7).

The network is nothing but a loopback. The table's first process is its init: when that one dies,
the kernel kills all others, so nothing that was started stays.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from model_gateway import kernel
from self_improve.sandbox.libc import mount, syscall
from self_improve.sandbox.machine import Machine, this_machine

NETWORK, PROCESSES = "own network", "own processes"
MOST_PROCESSES = 8192
"""How many processes and threads a confined tree can have at once, on Linux 6.14 and later."""
_OWN_BOUND_SINCE = (6, 14)
"""Before, this setting was that of the whole machine."""

_NEW_MOUNTS, _NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x20000, 0x10000000, 0x20000000, 0x40000000
_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _RECURSIVE, _PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
_GET_INTERFACE, _SET_INTERFACE, _IS_UP = 0x8913, 0x8914, 1


def separate(machine: Machine) -> tuple[str, ...]:
    """Go on as a process apart from all others as far as the kernel allows, and say how far.

    Where it allows all of it, what returns is a forked process: the one that called waits for it,
    and ends as it does. Call it while the process has one thread and all its capabilities.
    """
    reads, writes = os.pipe()
    waits = os.fork()
    if waits == 0:
        os.close(reads)
        _become_init(machine, writes)
        return NETWORK, PROCESSES
    os.close(writes)
    with os.fdopen(reads, "rb") as answer:
        if answer.read(1):
            _end_like(waits)
    os.waitpid(waits, 0)
    return (NETWORK,) if _new_namespaces(machine, _NEW_NETWORK) else ()


def are_allowed() -> bool:
    """Whether the kernel lets this user separate a process altogether; it is tried."""
    machine = this_machine()
    if machine is None:
        return False
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if PROCESSES in separate(machine) else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _become_init(machine: Machine, answer: int) -> None:
    """Fork the first process of new namespaces, and return in it alone."""
    kernel.die_with_parent()
    try:
        if not _new_namespaces(machine, _NEW_NETWORK | _NEW_PROCESSES | _NEW_MOUNTS):
            os._exit(1)
        child = os.fork()
    except OSError:
        os._exit(1)
    if child != 0:
        os.close(answer)
        _end_like(child)
    kernel.die_with_parent()
    flags = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    # A table that shows the processes outside would have other numbers than the calls.
    if mount("none", "/", "", _RECURSIVE | _PRIVATE) or mount("proc", "/proc", "proc", flags):
        os._exit(1)
    _bound_processes()
    os.write(answer, b"1")
    os.close(answer)


def _bound_processes() -> None:
    """Bound how many processes there can be, where the number is that of the own table."""
    release = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    if release >= _OWN_BOUND_SINCE:
        with suppress(OSError):
            Path("/proc/sys/kernel/pid_max").write_text(str(MOST_PROCESSES), encoding="ascii")


def _end_like(child: int) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)  # It is for the child to say what they mean.
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _new_namespaces(machine: Machine, kinds: int) -> bool:
    uid, gid = os.getuid(), os.getgid()
    # Root may lack the power in a container, and have it among users of its own.
    if uid != 0 or syscall(machine.unshare, kinds) != 0:
        if syscall(machine.unshare, kinds | _NEW_USER) != 0:
            return False
        _name_users(uid, gid)
    _raise_loopback()
    return True


def _name_users(uid: int, gid: int) -> None:
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14s", b"lo", 0, bytes(14))
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GET_INTERFACE, asked))[1]
        raised = struct.pack("16sH14s", b"lo", flags | _IS_UP, bytes(14))
        fcntl.ioctl(any_socket, _SET_INTERFACE, raised)
