"""The filter of system calls: what Landlock does not limit, see seccomp(2).

It denies sockets but those that are named, calls that reach into other processes or into the
kernel, and calls that change more of a file than what is in it.
"""

from __future__ import annotations

import ctypes
import errno
import signal
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from self_improve.sandbox.libc import checked, prctl
from self_improve.sandbox.machine import CLONE3, LAST_KNOWN, MACHINES, Machine

_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
_PARENT_DEATH, _SET_DUMPABLE, _SUBREAPER = 1, 4, 36

_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_ERROR = 0x00050000
_DENY, _UNKNOWN, _NO_DEVICE = (_ERROR | e for e in (errno.EPERM, errno.ENOSYS, errno.ENOTTY))
_IDLE = _ERROR  # An error of number 0: the call returns 0.
_LOAD, _EQUALS, _AT_LEAST, _HAS_BIT, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_NUMBER, _ARCHITECTURE = 0, 4

_UNIX, _INET, _INET6 = 1, 2, 10
_STREAM, _DATAGRAM, _SEQPACKET, _TYPE = 1, 2, 5, 0xF
_TCP, _UDP = 6, 17
_FAST_OPEN = 0x20000000
"""With this flag data is sent without connect(), which is what Landlock looks at."""
_NEW_NAMESPACES = 0x7E020000
_SET_LEASE, _NOTIFY = 1024, 1026
_TERMINAL_SIZE, _TERMINAL_GROUP, _TERMINAL = 0x5413, 0x540F, 0x5401
_BYTES_WAITING, _NO_BLOCKING, _NO_CLOSE, _CLOSE = 0x541B, 0x5421, 0x5450, 0x5451
_CLONE_FILE, _CLONE_RANGE = 0x40049409, 0x4020940D
_HARMLESS_CONTROLS = (
    _TERMINAL, _TERMINAL_SIZE, _TERMINAL_GROUP, _BYTES_WAITING, _NO_BLOCKING, _NO_CLOSE, _CLOSE,
    _CLONE_FILE, _CLONE_RANGE,
)  # fmt: skip


class Sockets(StrEnum):
    """Which sockets there are, besides connected pairs.

    `none` at all; `client`: TCP to where Landlock allows it; `private`: TCP and UDP, for a process
    whose network namespace is its own.
    """

    none = "none"
    client = "client"
    private = "private"


def install(machine: Machine, sockets: Sockets, *, denied: Sequence[int] = ()) -> None:
    """Filter the calls of this thread and of all that it will start, for good.

    `denied` are calls that are refused beside those that always are.

    Raises:
        OSError: the kernel refuses the filter.
    """
    code = program(machine, sockets, denied=denied)
    buffer = ctypes.create_string_buffer(code, len(code))
    reference = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    checked(prctl(_SET_SECCOMP, _SECCOMP_FILTER, reference))


def program(machine: Machine, sockets: Sockets, *, denied: Sequence[int] = ()) -> bytes:
    """Return the filter, as a program for the kernel's packet filter (classic BPF)."""
    lines = _Lines()
    lines.load(_ARCHITECTURE)
    lines.unless_one_of((machine.audit,), _KILL)
    lines.load(_NUMBER)
    if machine is MACHINES["x86_64"]:
        lines.add(_AT_LEAST, 0x40000000, 0, 1)  # Another way to name the same calls.
        lines.end(_DENY)
    lines.add(_AT_LEAST, LAST_KNOWN + 1, 0, 1)
    lines.end(_UNKNOWN)
    lines.if_equal(CLONE3, _UNKNOWN)  # Its flags cannot be seen here; libraries then use clone.
    for number in (*machine.denied, *denied):
        lines.if_equal(number, _DENY)
    for number in machine.idle:
        lines.if_equal(number, _IDLE)
    _limit_processes(lines, machine)
    _limit_descriptors(lines, machine)
    _limit_sockets(lines, machine, sockets)
    lines.end(_ALLOW)
    return lines.code()


def _limit_processes(lines: _Lines, machine: Machine) -> None:
    with lines.only_for(machine.clone):
        lines.load_argument(0)
        lines.add(_HAS_BIT, _NEW_NAMESPACES, 0, 1)
        lines.end(_DENY)
        lines.end(_ALLOW)
    with lines.only_for(machine.prctl):
        # A process stays the child of its parent, and readable for those who clean up.
        for option, value in ((_PARENT_DEATH, signal.SIGKILL), (_SUBREAPER, 1), (_SET_DUMPABLE, 1)):
            lines.load_argument(0)
            lines.add(_EQUALS, option, 0, 4)
            lines.load_argument(1)
            lines.unless_one_of((value,), _DENY)
            lines.end(_ALLOW)
        lines.end(_ALLOW)
    with lines.only_for(machine.prlimit):
        lines.load_argument(0)
        lines.unless_one_of((0,), _DENY)
        lines.end(_ALLOW)
    for number in machine.setpriority:
        with lines.only_for(number):
            lines.load_argument(0)
            lines.unless_one_of((0, 1), _DENY)  # Of a process, as the two calls count.
            lines.load_argument(1)
            lines.unless_one_of((0,), _DENY)
            lines.end(_ALLOW)
    for number in machine.own_only:
        with lines.only_for(number):
            lines.load_argument(0)
            lines.unless_one_of((0,), _IDLE)  # Libraries name their threads, and take no refusal.
            lines.end(_ALLOW)


def _limit_descriptors(lines: _Lines, machine: Machine) -> None:
    with lines.only_for(machine.fcntl):
        lines.load_argument(1)
        lines.if_equal(_SET_LEASE, _DENY)
        lines.if_equal(_NOTIFY, _DENY)
        lines.end(_ALLOW)
    with lines.only_for(machine.ioctl):
        lines.load_argument(1)
        lines.unless_one_of(_HARMLESS_CONTROLS, _NO_DEVICE)
        lines.end(_ALLOW)


def _limit_sockets(lines: _Lines, machine: Machine, sockets: Sockets) -> None:
    with lines.only_for(machine.socketpair):
        # A datagram socket, even of a pair, can send to any socket that has a path.
        lines.load_argument(0)
        lines.unless_one_of((_UNIX,), _DENY)
        lines.load_argument(1)
        lines.add(_AND, _TYPE)
        lines.unless_one_of((_STREAM, _SEQPACKET), _DENY)
        lines.end(_ALLOW)
    if sockets is not Sockets.private:
        lines.if_equal(machine.bind, _DENY)
        lines.if_equal(machine.listen, _DENY)  # It would choose a port by itself.
        for number, argument in machine.sends.items():
            with lines.only_for(number):
                lines.load_argument(argument)
                lines.add(_HAS_BIT, _FAST_OPEN, 0, 1)
                lines.end(_DENY)
                lines.end(_ALLOW)
    with lines.only_for(machine.socket):
        if sockets is not Sockets.none:
            udp = sockets is Sockets.private
            lines.load_argument(0)
            lines.unless_one_of((_INET, _INET6), _DENY)
            lines.load_argument(1)
            lines.add(_AND, _TYPE)
            lines.unless_one_of((_STREAM, _DATAGRAM) if udp else (_STREAM,), _DENY)
            lines.load_argument(2)
            lines.unless_one_of((0, _TCP, _UDP) if udp else (0, _TCP), _DENY)
            lines.end(_ALLOW)
        lines.end(_DENY)


class _Lines:
    """The lines of a program."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, int, int]] = []

    def add(self, operation: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        """Append an instruction; a jump goes that many instructions ahead."""
        self._lines.append((operation, if_true, if_false, value))

    def load(self, offset: int) -> None:
        """Load 32 bits of what describes the call."""
        self.add(_LOAD, offset)

    def load_argument(self, index: int) -> None:
        """Load the lower half of an argument of the call; the calls at hand look at no other."""
        self.load(16 + 8 * index)

    def end(self, result: int) -> None:
        """Return `result`."""
        self.add(_RETURN, result)

    def if_equal(self, value: int, result: int) -> None:
        """Return `result` if what was loaded is `value`."""
        self.add(_EQUALS, value, 0, 1)
        self.end(result)

    def unless_one_of(self, values: Sequence[int], result: int) -> None:
        """Return `result` unless what was loaded is one of `values`."""
        for left, value in zip(range(len(values), 0, -1), values, strict=True):
            self.add(_EQUALS, value, left, 0)
        self.end(result)

    @contextmanager
    def only_for(self, number: int) -> Iterator[None]:
        """Have what is added inside run for this call only; it must return."""
        at = len(self._lines)
        self.add(_EQUALS, number)
        yield
        self._lines[at] = (_EQUALS, 0, len(self._lines) - at - 1, number)

    def code(self) -> bytes:
        """Return the program as the kernel takes it."""
        return b"".join(struct.pack("=HBBI", *line) for line in self._lines)
