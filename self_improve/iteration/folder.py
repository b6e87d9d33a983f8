"""Where an iteration is kept: its order, and a marker for each phase that is done."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from prompt_lab import atomic
from prompt_lab.claim import claim
from prompt_lab.layout import Layout
from self_improve.errors import ImproveError

ORDER = "order.json"
PHASES = "phases"
COUNSEL = "counsel"
LAST_PHASE = "publish"
_FOLDER = re.compile(r"^(\d+)_(.+)$")

Facts = dict[str, Any]
"""What a phase found, as JSON values."""


@dataclass(frozen=True)
class IterationFolder:
    """The directory of one iteration: `analysis/<n>_<step>/`."""

    layout: Layout
    path: Path

    @property
    def number(self) -> int:
        """The number of the iteration."""
        return int(self.path.name.partition("_")[0])

    @property
    def id(self) -> str:
        """The name by which other records refer to it."""
        return self.path.name

    @property
    def order(self) -> dict[str, Any]:
        """What was asked for."""
        order: dict[str, Any] = json.loads((self.path / ORDER).read_text(encoding="utf-8"))
        return order

    @property
    def counsel(self) -> Path:
        """The directory of what judge, proposers and agents were asked."""
        return self.path / COUNSEL

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.result(LAST_PHASE) is not None

    def result(self, phase: str) -> Facts | None:
        """Return what a phase found, or None if it is not done."""
        path = self.path / PHASES / f"{phase}.json"
        if not path.is_file():
            return None
        found: Facts = json.loads(path.read_text(encoding="utf-8"))
        return found

    async def phase(self, name: str, work: Callable[[], Awaitable[Facts]]) -> Facts:
        """Return what a phase found; it is done once, however often the process is killed.

        Raises:
            OSError: the marker cannot be written.
        """
        known = self.result(name)
        if known is not None:
            return known
        found = await work()
        path = self.path / PHASES / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, _json(found))
        return found

    @property
    def scratch(self) -> Path:
        """The directory for what is put together on the way. Not versioned, and taken away."""
        return self.layout.scratch / "iterations" / self.id

    def relative(self, path: Path) -> str:
        """Return how records name a path in the data repo."""
        return path.resolve().relative_to(self.layout.root.resolve()).as_posix()


def find(layout: Layout, order: Mapping[str, Any]) -> IterationFolder | None:
    """Return the latest iteration with this order, finished or not."""
    digest = digest_of(order)
    found = None
    for place in places(layout):
        if place.order.get("digest") == digest:
            found = place
    return found


def begin(layout: Layout, step: str, order: Mapping[str, Any]) -> IterationFolder:
    """Make the directory of a new iteration, with its order in it.

    Raises:
        OSError: the data repo cannot be written.
    """
    with claim(layout, "iterations", wait_seconds=30.0):
        number = max(_numbers(layout), default=-1) + 1
        place = IterationFolder(layout, layout.iteration(number, step))
        fresh = layout.scratch / f"iteration-{number}"
        fresh.mkdir(parents=True, exist_ok=True)
        atomic.write(fresh / ORDER, _json({**order, "digest": digest_of(order)}))
        place.path.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(place.path)
    return place


@contextlib.contextmanager
def held(place: IterationFolder) -> Iterator[None]:
    """Be the only process that works on an iteration.

    Raises:
        LabError: another process does.
    """
    with claim(place.layout, f"iteration-{place.number}"):
        yield


def places(layout: Layout) -> list[IterationFolder]:
    """Return all iterations that this program began, in the order of their numbers."""
    if not layout.analysis.is_dir():
        return []
    found = [
        IterationFolder(layout, path)
        for path in layout.analysis.iterdir()
        if _FOLDER.match(path.name) and (path / ORDER).is_file()
    ]
    return sorted(found, key=lambda place: place.number)


def _numbers(layout: Layout) -> Iterator[int]:
    """Yield the numbers that are taken, those of older records included."""
    for path in layout.analysis.iterdir() if layout.analysis.is_dir() else ():
        match = _FOLDER.match(path.name)
        if match is not None:
            yield int(match[1])


def numbered(layout: Layout, number: int) -> IterationFolder:
    """Return the iteration with this number.

    Raises:
        ImproveError: there is none.
    """
    for place in places(layout):
        if place.number == number:
            return place
    known = ", ".join(str(place.number) for place in places(layout)[-5:]) or "none yet"
    raise ImproveError(f"There is no iteration {number} in {layout.root}. The latest: {known}.")


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1, default=_scalar)
    return text.encode("utf-8", "replace") + b"\n"


def _scalar(value: Any) -> Any:
    """Return a number of numpy's as Python's own."""
    return value.item()
