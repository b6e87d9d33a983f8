"""A folder for sockets: with a short path, only for this user, and gone when its process is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_gateway import temporary
from model_gateway.errors import GatewayError

# A socket's name may have 107 bytes; the folder's and the socket's own take at most these.
_LONGEST_BASE = 107 - len("/gw.12345678/1234567890")
_ELSEWHERE = ("/tmp", "/dev/shm", "/var/tmp")  # noqa: S108 - mkdtemp below them


@contextmanager
def opened() -> Iterator[Path]:
    """Yield a new folder, which is gone at the end; one of a killed process is swept by the next.

    Raises:
        GatewayError: no folder for temporary files has a path that is short enough.
    """
    with temporary.opened_in(_base(), temporary.SOCKETS) as folder:
        yield folder


def _base() -> Path:
    """Return where sockets can be: the folder for temporary files, or one with a shorter path."""
    chosen = Path(tempfile.gettempdir())
    for base in (chosen, *map(Path, _ELSEWHERE)):
        if len(os.fsencode(base.absolute())) <= _LONGEST_BASE and os.access(base, os.W_OK):
            return base.absolute()
    raise GatewayError(
        f"The path of the folder for temporary files, {chosen}, is too long for a socket, and "
        f"{', '.join(_ELSEWHERE)} cannot be written. Set TMPDIR to a shorter path."
    )
