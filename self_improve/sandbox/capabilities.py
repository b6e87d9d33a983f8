"""The powers of root, which open what Landlock closes; see capabilities(7).

CAP_PERFMON, for one, opens `/proc/PID/environ` of any process.
"""

from __future__ import annotations

import struct

from self_improve.sandbox.libc import checked, prctl, syscall
from self_improve.sandbox.machine import Machine

_DROP_FROM_BOUNDS, _NO_NEW_PRIVILEGES, _AMBIENT, _CLEAR = 24, 38, 47, 4
_VERSION = 0x20080522
_MOST = 64


def drop_all(machine: Machine) -> None:
    """Give up all of them for good, also for programs of root's that are started.

    Raises:
        OSError: the kernel refuses.
    """
    for capability in range(_MOST):
        if prctl(_DROP_FROM_BOUNDS, capability) != 0:
            break  # The kernel knows no more, or this process may drop none because it has none.
    prctl(_AMBIENT, _CLEAR)
    checked(syscall(machine.capset, struct.pack("=II", _VERSION, 0), bytes(24)))
    checked(prctl(_NO_NEW_PRIVILEGES, 1))
