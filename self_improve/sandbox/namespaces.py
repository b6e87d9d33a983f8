"""A network of a process's own, which is nothing but a loopback; see network_namespaces(7)."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path

from self_improve.errors import ImproveError
from self_improve.sandbox.libc import syscall
from self_improve.sandbox.machine import Machine

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_INTERFACE, _SET_INTERFACE, _IS_UP = 0x8913, 0x8914, 1


def leave_network(machine: Machine) -> bool:
    """Move this process into a network of its own; return whether the kernel allows that.

    Call it while the process has a single thread and all its capabilities.

    Raises:
        ImproveError: the old network is left, and the new one cannot be used.
    """
    uid, gid = os.getuid(), os.getgid()
    is_root = uid == 0
    if syscall(machine.unshare, _NEW_NETWORK | (0 if is_root else _NEW_USER)) != 0:
        return False
    try:
        if not is_root:
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
        _raise_loopback()
    except OSError as error:
        raise ImproveError(f"The network namespace has no loopback: {error}") from error
    return True


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14s", b"lo", 0, bytes(14))
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GET_INTERFACE, asked))[1]
        wanted = struct.pack("16sH14s", b"lo", flags | _IS_UP, bytes(14))
        fcntl.ioctl(any_socket, _SET_INTERFACE, wanted)
