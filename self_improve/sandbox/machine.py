"""The numbers of the system calls that a sandbox denies or limits, for each processor.

They are those of the kernel's `unistd.h`; calls from 424 on have the same number everywhere.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

LAST_KNOWN = 469
"""Calls with greater numbers came into the kernel after this list; a sandbox has none of them."""

_DENIED_EVERYWHERE = (
    438, 425, 426, 427,  # pidfd_getfd, io_uring
    428, 429, 430, 431, 432, 433, 442, 467,  # mounts by descriptor
    443,  # quotactl_fd
    463, 466, 469,  # setxattrat, removexattrat, file_setattr
)  # fmt: skip
CLONE3 = 435
_FCHMODAT2 = 452


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The numbers of one processor; `audit` is its name in the kernel's audit log.

    `denied` calls fail. `idle` calls would change owner, mode or times of files, which Landlock
    does not limit: they succeed without doing anything, because libraries that copy files take a
    refusal for an error. `sends` gives the argument that holds the flags of a call that sends.
    `own_only` calls set limits and priorities, and act on other processes if their first argument
    names one.
    """

    audit: int
    capset: int
    clone: int
    fcntl: int
    ioctl: int
    prctl: int
    prlimit: int
    setpriority: tuple[int, ...]
    truncate: int
    own_only: tuple[int, ...]
    unshare: int
    socket: int
    socketpair: int
    bind: int
    listen: int
    sends: Mapping[int, int]
    denied: tuple[int, ...]
    idle: tuple[int, ...]


MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(
        truncate=76,
        audit=0xC000003E, capset=126, clone=56, fcntl=72, ioctl=16, prctl=157, prlimit=302,
        setpriority=(141, 251),  # and ioprio_set
        own_only=(203, 142, 144, 314),  # sched_set*
        unshare=272, socket=41, socketpair=53, bind=49, listen=50,
        sends={44: 3, 46: 2, 307: 3},
        denied=(
            *_DENIED_EVERYWHERE,
            101, 310, 311,  # ptrace, process_vm_readv, process_vm_writev
            321, 298, 323,  # bpf, perf_event_open, userfaultfd
            248, 249, 250,  # keys of the kernel
            272, 308, 165, 166, 155, 161,  # namespaces, mounts
            246, 320, 175, 313, 176, 304, 169, 167, 168, 163, 103, 179,  # the kernel itself
            188, 189, 190, 197, 198, 199,  # extended attributes
            253, 254, 294, 300,  # notices of what happens to files
            29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241,  # shared memory, queues
        ),
        idle=(90, 91, 268, _FCHMODAT2, 92, 93, 94, 260, 132, 235, 261, 280),
    ),
    "aarch64": Machine(
        truncate=45,
        audit=0xC00000B7, capset=91, clone=220, fcntl=25, ioctl=29, prctl=167, prlimit=261,
        setpriority=(140, 30),
        own_only=(122, 118, 119, 274),
        unshare=97, socket=198, socketpair=199, bind=200, listen=201,
        sends={206: 3, 211: 2, 269: 3},
        denied=(
            *_DENIED_EVERYWHERE,
            117, 270, 271,
            280, 241, 282,
            217, 218, 219,
            97, 268, 40, 39, 41, 51,
            104, 294, 105, 273, 106, 265, 142, 224, 225, 89, 116, 60,
            5, 6, 7, 14, 15, 16,
            26, 27, 262,
            194, 195, 196, 197, 190, 191, 192, 193, 186, 187, 188, 189, 180, 181,
        ),
        idle=(52, 53, _FCHMODAT2, 54, 55, 88),
    ),
}  # fmt: skip


def this_machine() -> Machine | None:
    """Return the numbers of this machine's processor, or None if they are unknown."""
    return MACHINES.get(platform.machine())
