"""Landlock: files, TCP ports and signals, limited by the process itself; see landlock(7).

It needs neither root nor a package, holds for all that the process starts, and can only be made
narrower. Rules are on files that exist: what is created later in an allowed folder is allowed too.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from self_improve.sandbox.libc import checked, syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # The same on every machine.
_ASK_VERSION, _PATH_BENEATH, _NET_PORT = 1, 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE = 1 << 14
_DEVICES_AND_SOCKETS = 1 << 6 | 1 << 9 | 1 << 11 | 1 << 15
"""Making device files and sockets, and controlling devices: nobody is allowed that."""
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_ONE_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_CONNECT_TCP, _BIND_TCP = 1 << 1, 1 << 0
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files a version knows; later ones know as many as the last."""
FIRST_WITH_SIGNALS = 6
"""The first version that limits signals (Linux 6.12)."""
FIRST_WITH_TRUNCATION = 3
"""The first version that limits how files are cut off without being opened (Linux 6.2)."""
_FIRST_WITH_PORTS = 4


def version() -> int:
    """Return the version that the kernel offers, 0 if none."""
    asked = syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    return max(asked, 0)


def limit_files(
    *,
    read: Iterable[Path] = (),
    write: Iterable[Path] = (),
    listed: Iterable[Path] = (),
    ports: Iterable[int] | None = None,
) -> None:
    """Limit this process to these files, as far as the kernel's version can.

    It may read and execute what is below `read`, change what is below `write`, and see the names
    in the folders `listed`. Paths that are not there are passed over. With `ports` it may connect
    over TCP to these only, and to none that it listens on itself. Where the kernel can, no signal
    leaves the process and those that it starts.

    Raises:
        OSError: the kernel refuses.
    """
    offered = version()
    rights = (1 << _FILE_RIGHTS.get(offered, max(_FILE_RIGHTS.values()))) - 1
    network = _BIND_TCP | _CONNECT_TCP if ports is not None and offered >= _FIRST_WITH_PORTS else 0
    ruleset = _ruleset(rights, network, _scopes(offered))
    try:
        for paths, allowed in (
            (read, _READ), (write, rights & ~_DEVICES_AND_SOCKETS), (listed, _READ_DIR),
        ):  # fmt: skip
            for path in paths:
                _allow(ruleset, path, allowed & rights)
        for port in (ports or ()) if network else ():
            rule = struct.pack("=QQ", _CONNECT_TCP, port)
            checked(syscall(_ADD_RULE, ruleset, _NET_PORT, rule, 0))
        checked(syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _scopes(offered: int) -> int:
    return _ABSTRACT_SOCKETS | _SIGNALS if offered >= FIRST_WITH_SIGNALS else 0


def _ruleset(files: int, network: int, scopes: int) -> int:
    """Return the descriptor of a ruleset; the kernel takes what follows as far as it knows it."""
    fields = [files]
    if network or scopes:
        fields.append(network)
    if scopes:
        fields.append(scopes)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    size = ctypes.c_size_t(len(attributes))
    return checked(syscall(_CREATE_RULESET, attributes, size, ctypes.c_uint32(0)))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # What this process cannot open itself needs no permission.
    try:
        allowed = rights if path.is_dir() else rights & _ON_ONE_FILE
        if allowed:
            rule = struct.pack("=Qi", allowed, descriptor)
            checked(syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)
