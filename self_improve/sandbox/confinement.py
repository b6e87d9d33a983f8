"""Confines this process, and all that it will start, for good.

Landlock limits files, TCP and signals; a filter of system calls limits sockets and calls that reach
into other processes or the kernel; all capabilities are given up. None of it needs root or a
package. Before it, a process may leave network and processes behind (see `namespaces`).
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Collection
from contextlib import suppress

from self_improve.errors import ImproveError
from self_improve.sandbox import capabilities, landlock, namespaces, seccomp
from self_improve.sandbox.bounds import Bounds
from self_improve.sandbox.machine import Machine, this_machine
from self_improve.sandbox.seccomp import Sockets

LARGEST_FILE = 256 * 1024 * 1024
_LIMITS = ((resource.RLIMIT_FSIZE, LARGEST_FILE), (resource.RLIMIT_CORE, 0))


class SandboxError(ImproveError):
    """A process cannot be confined here."""


def lacking() -> str | None:
    """Return what this machine lacks to confine a process, or None."""
    if sys.platform != "linux":
        return f"{sys.platform} has neither Landlock nor seccomp"
    if this_machine() is None:
        return "the numbers of this processor's system calls are unknown"
    if not landlock.version():
        return "the kernel has no Landlock (Linux 5.13), or it is switched off"
    if landlock.version() < landlock.FIRST_WITH_SIGNALS and not namespaces.are_allowed():
        return (
            f"the kernel has Landlock {landlock.version()}, which does not limit signals "
            f"(version {landlock.FIRST_WITH_SIGNALS}, Linux 6.12, does), and allows no namespaces"
        )
    return None


def confine(bounds: Bounds, apart: Collection[str] = ()) -> str:
    """Confine this process to `bounds` and return how, in words for the record.

    `apart` is what `namespaces.separate` said.

    Raises:
        SandboxError: the kernel refuses a part of it; the process must not go on.
    """
    machine, offered = known_machine(), landlock.version()
    if offered < landlock.FIRST_WITH_SIGNALS and namespaces.PROCESSES not in apart:
        raise SandboxError("Code cannot be confined here: the kernel refused its namespaces.")
    try:
        for kind, most in _LIMITS:
            with suppress(ValueError):  # It is lower already.
                resource.setrlimit(kind, (most, most))
        capabilities.drop_all(machine)
        private = namespaces.NETWORK in apart
        landlock.limit_files(
            read=bounds.read, write=bounds.write, listed=bounds.listed,
            ports=None if private else bounds.ports,
        )  # fmt: skip
        denied = () if offered >= landlock.FIRST_WITH_TRUNCATION else (machine.truncate,)
        seccomp.install(machine, _sockets(bounds, private=private), denied=denied)
    except OSError as error:
        raise SandboxError(f"The sandbox cannot be set up: {error}.") from error
    return ", ".join((f"landlock {landlock.version()}", "seccomp", *apart))


def narrow(bounds: Bounds) -> None:
    """Confine a process that is confined already to less.

    Raises:
        OSError: the kernel refuses.
    """
    landlock.limit_files(read=bounds.read, write=bounds.write, listed=bounds.listed)


def known_machine() -> Machine:
    """Return the numbers of this machine's processor.

    Raises:
        SandboxError: they are unknown, or the kernel has no Landlock.
    """
    machine = this_machine()
    if machine is None or not landlock.version():
        raise SandboxError(f"Code cannot be confined here: {lacking()}.")
    return machine


def _sockets(bounds: Bounds, *, private: bool) -> Sockets:
    if private:
        return Sockets.private
    return Sockets.client if bounds.ports else Sockets.none
