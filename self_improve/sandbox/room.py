"""The only folder that confined code may write in; it is gone when its user ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_gateway import temporary

HOME = "home"


@contextmanager
def opened() -> Iterator[Path]:
    """Yield a new room with a home in it."""
    with temporary.opened("room") as path:
        (path / HOME).mkdir()
        yield path
