"""Where an iteration is kept: its identity, and a marker for each finished phase."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from model_gateway.attempt import digest_of
from prompt_lab import atomic
from prompt_lab.claim import claim
from prompt_lab.layout import Layout, iteration_number, iterations
from prompt_lab.work_folder import IDENTITY, WorkFolder
from self_improve.errors import ImproveError

PHASES = "phases"
COUNSEL = "counsel"
LAST_PHASE = "publish"
RESUMED_AS = "resumed_as.json"
"""Under which other identity an iteration was resumed, if it was."""

Facts = dict[str, Any]
"""The result of a phase, as JSON values."""


@dataclass(frozen=True)
class IterationFolder(WorkFolder):
    """The directory of one iteration: `analysis/<n>_<step>/`."""

    KIND = "iteration"

    @property
    def number(self) -> int:
        """The number of the iteration."""
        return iteration_number(self.id)

    @property
    def lock_name(self) -> str:
        """The name of the lock, which single phases of agents hold, too."""
        return f"{self.KIND}-{self.number}"

    @property
    def counsel(self) -> Path:
        """The directory of what the judge, proposers and agents were asked."""
        return self.path / COUNSEL

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.result(LAST_PHASE) is not None

    def result(self, phase: str) -> Facts | None:
        """Return the result of a phase, or None if it is not finished."""
        return self.read(f"{PHASES}/{phase}.json")

    async def phase(self, name: str, work: Callable[[], Awaitable[Facts]]) -> Facts:
        """Return the result of a phase; run it only if no session has finished it.

        Raises:
            OSError: the marker cannot be written.
        """
        result = self.result(name)
        if result is None:
            result = await work()
            path = self.path / PHASES / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(path, result)
        return result

    @classmethod
    def all(cls, layout: Layout) -> list[Self]:
        """Return all iterations that this program began, in the order of their numbers."""
        folders = [cls(layout, path) for _, path in iterations(layout)]
        return [folder for folder in folders if (folder.path / IDENTITY).is_file()]

    @classmethod
    def latest(cls, layout: Layout, identity: Mapping[str, Any]) -> Self | None:
        """Return the latest iteration with this identity, finished or not.

        Whether agents are asked may change as long as they were not: an iteration that lacks them
        is resumed without them, and keeps its cells.
        """
        digest, asked = digest_of(identity), _but_analysis(identity)
        for folder in reversed(cls.all(layout)):
            # A list, because a damaged file may hold anything.
            digests = [folder.identity.get("digest"), (folder.read(RESUMED_AS) or {}).get("digest")]
            if digest in digests:
                return folder
            if not folder.finished and folder.result("analyse") is None:
                row = folder.identity
                row.pop("digest", None)
                if _but_analysis(row) == asked:
                    return folder
        return None

    def resume_as(self, identity: Mapping[str, Any]) -> None:
        """Record that the iteration is resumed under this identity.

        Raises:
            OSError: the data repo cannot be written.
        """
        digest = digest_of(identity)
        if self.identity.get("digest") != digest:
            row = {"analyse": identity["analyse"], "digest": digest}
            atomic.write_json(self.path / RESUMED_AS, row)

    @classmethod
    def latest_or_new(
        cls, layout: Layout, step: str, identity: Mapping[str, Any], *, new: bool
    ) -> Self:
        """Return the latest iteration with this identity; begin one if there is none.

        With `new`, a finished one does not count. Of two commands at once only one begins it.

        Raises:
            OSError: the data repo cannot be written.
        """
        with claim(layout, "new-iteration", wait_seconds=60.0):
            folder = cls.latest(layout, identity)
            if folder is None or (new and folder.finished):
                return cls.begin(layout, step, identity)
            folder.resume_as(identity)
            return folder

    @classmethod
    def begin(cls, layout: Layout, step: str, identity: Mapping[str, Any]) -> Self:
        """Create the directory of a new iteration, with its identity in it.

        Raises:
            OSError: the data repo cannot be written.
        """
        with claim(layout, "iterations", wait_seconds=30.0):
            number = max((number for number, _ in iterations(layout)), default=-1) + 1
            return cls._create(layout, layout.iteration(number, step), identity)

    @classmethod
    def numbered(cls, layout: Layout, number: int) -> Self:
        """Return the iteration with this number.

        Raises:
            ImproveError: there is none.
        """
        folders = cls.all(layout)
        for folder in folders:
            if folder.number == number:
                return folder
        latest = ", ".join(str(folder.number) for folder in folders[-5:]) or "none yet"
        raise ImproveError(
            f"There is no iteration {number} in {layout.root}. The latest: {latest}."
        )


def _but_analysis(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in identity.items() if key != "analyse"}
