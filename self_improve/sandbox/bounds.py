"""What confined code may still reach, as lists of paths and ports."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/proc", "/sys/devices/system",
    "/nix/store", "/gnu/store",
    *(f"/etc/{name}" for name in (
        "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "localtime",
        "timezone", "mime.types", "nsswitch.conf", "hosts", "host.conf", "resolv.conf", "passwd",
        "group", "protocols", "services", "os-release", "ssl/openssl.cnf", "ssl/certs",
        "ca-certificates", "pki/tls", "fonts", "magic", "localtime",
    )),
    *(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")),
)  # fmt: skip
"""What programs read of a system; nobody stores private things there."""
_WRITTEN = (Path("/dev/null"),)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a confined process may still do.

    `read` are files and folders that it may read and execute, `write` those that it may change,
    `listed` folders of which it may see the names. `ports` are the TCP ports it may connect to
    where it has no network of its own_tree.
    """

    read: tuple[Path, ...]
    write: tuple[Path, ...] = ()
    listed: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()

    def to_row(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        rows = {key: [str(path) for path in getattr(self, key)] for key in _PATHS}
        return {**rows, "ports": list(self.ports)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read it from plain JSON values."""
        return cls(**{key: tuple(map(Path, row[key])) for key in _PATHS}, ports=tuple(row["ports"]))

    def narrowed(self, write: Iterable[Path], *, room: Path) -> Bounds:
        """Return bounds for a process within these: of all below `room` it has only `write`.

        They name whole parts of the file system where they can, because every rule costs time and
        what these bounds forbid stays forbidden.
        """
        tops = ((path, Path(*path.parts[:2])) for path in (*self.read, *self.listed))
        read = (path if room.is_relative_to(top) else top for path, top in tops)
        others = tuple(path for path in self.write if not path.is_relative_to(room))
        return Bounds(read=tuple(dict.fromkeys(read)), write=(*others, *write), ports=self.ports)


_PATHS = ("read", "write", "listed")


def bounds_of(
    code: Path, *, own_tree: Path, read: Iterable[Path] = (), write: Iterable[Path] = ()
) -> Bounds:
    """Return the bounds of code in the tree `code`, for programs of this interpreter.

    Of `own_tree`, which holds this program, only the packages can be read: it may be a checkout
    with anything else in it.
    """
    packages = tuple(path.parent for path in own_tree.glob("*/__init__.py"))
    readable = (
        *map(Path, _SYSTEM), *_interpreter(own_tree, code), *packages, *_files_of(code), *read,
    )  # fmt: skip
    return Bounds(read=_outermost(readable), write=(*_WRITTEN, *write), listed=(own_tree, code))


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths that exist, without those inside others: every rule costs time."""
    outermost: list[Path] = []
    for path in sorted({path.resolve() for path in paths if path.exists()}):
        if not any(path.is_relative_to(folder) for folder in outermost):
            outermost.append(path)
    return tuple(outermost)


def _interpreter(own_tree: Path, code: Path) -> Iterator[Path]:
    """Yield the folders of Python and of what is installed for it.

    What Python finds only because a command was started in a folder is not installed.
    """
    prefixes = [
        Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent,
    ]  # fmt: skip
    yield from prefixes
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [Path(path).absolute() for path in sys.path if path]
    if site.ENABLE_USER_SITE:
        folders.append(Path(site.getusersitepackages()))
    for folder in folders:
        if any(folder.is_relative_to(prefix) for prefix in prefixes):
            continue
        if folder == Path.cwd() and str(folder) not in named:
            continue
        if any(path.is_relative_to(folder) for path in (Path.home(), own_tree, code)):
            continue
        # It may be a checkout that is installed by a link to it.
        if folder.is_dir():
            yield from _files_of(folder)
        else:
            yield folder


def _files_of(code: Path) -> Iterator[Path]:
    """Yield what a code tree holds, without hidden files, which may hold keys."""
    for path in sorted(code.iterdir()):
        # A link may lead where the code must not go.
        if not path.name.startswith(".") and path.resolve().is_relative_to(code):
            yield path
