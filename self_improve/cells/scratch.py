"""A cell's working directory: a copy of the step's inputs, and what the step leaves in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from model_gateway.attempt import Attempt
from model_gateway.jsonl import dumps
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from prompt_lab.atomic import json_text
from prompt_lab.layout import Layout
from prompt_lab.record import CELL_ROW, file_digest
from self_improve.cells import strange_files
from self_improve.cells.cell import HOME, LOG, PLAN, RESULT, CellResult
from self_improve.host.plans import PlanInputs

TRACE = "trace.txt"
_RECORD = {USAGE, OVERVIEW, TRACE, LOG, CELL_ROW}
_STEP = "step"
_LONGEST_RESULT = 4 * 1024 * 1024
_LONGEST_LOG = 16 * 1024 * 1024

PlacedInputs = dict[str, tuple[int, int, int]]
"""A stamp of each input as it was copied, by name: it shows whether the step changed the file."""


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """The directory of one cell; the plan's copy is in `plan/`, what is collected in `kept`.

    `in_room` says that strangers may write in its folder: links are not followed, and what is
    collected are copies, because a file that was moved could still be written by who has it open.
    """

    folder: Path
    kept: Path
    in_room: bool = False

    @property
    def plan(self) -> Path:
        """The directory that the step's task works in."""
        return self.folder / PLAN

    def _opened(self, *names: str) -> AbstractContextManager[int]:
        return strange_files.opened(self.folder.parent, self.folder.name, *names)

    def prepare(self, inputs: PlanInputs) -> PlacedInputs:
        """Create a fresh directory with copies of the inputs, under the names the step knows.

        They are copies, never links: some tasks overwrite files in place.

        Raises:
            OSError: the data repo cannot be written, or is full.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.kept, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with strange_files.opened(self.folder.parent) as parent:
            os.mkdir(self.folder.name, dir_fd=parent)
        with self._opened() as folder:
            for name in (PLAN, HOME) if self.in_room else (PLAN,):
                os.mkdir(name, dir_fd=folder)
        placed: PlacedInputs = {}
        with self._opened(PLAN) as plan:
            for name, source in inputs.files.items():
                placed[name] = _stamp(strange_files.create(plan, name, source.read_bytes()))
        return placed

    def result(self) -> CellResult | None:
        """Return what a failed cell has written, or None if it could write nothing."""
        try:
            with self._opened() as folder:
                text = strange_files.read(folder, RESULT, _LONGEST_RESULT).decode("utf-8")
            return CellResult.from_text(text)
        except (OSError, ValueError):
            return None

    def collect(
        self, inputs: PlanInputs, attempts: Iterable[Attempt], placed: PlacedInputs
    ) -> dict[str, str]:
        """Take what the step wrote or changed to `kept`, with the cell's usage and log.

        `placed` is what `prepare` returned. An artifact that is named like a file of the record
        goes into `step/`. Returns the SHA-256 of each artifact by name.

        Raises:
            TooMuchError: the step left more than a record can hold.
        """
        self.kept.mkdir(parents=True)
        digests: dict[str, str] = {}
        with self._opened(PLAN) as plan:
            for name, stamp in strange_files.listed(plan):
                if placed.get(name) == _stamp(stamp):
                    continue
                target = self.kept / (f"{_STEP}/{name}" if name in _RECORD else name)
                target.parent.mkdir(parents=True, exist_ok=True)
                if self.in_room:
                    digest = strange_files.copy(plan, name, target)
                else:
                    (self.plan / name).rename(target)
                    digest = file_digest(target)
                if inputs.digests.get(name) == digest:
                    target.unlink()
                else:
                    digests[target.relative_to(self.kept).as_posix()] = digest
        listed = list(attempts)
        usage = "".join(dumps(row) + "\n" for row in usage_rows(listed))
        (self.kept / USAGE).write_text(usage, encoding="utf-8")
        calls = json_text(overview(listed), indent=2)
        (self.kept / OVERVIEW).write_text(calls, encoding="utf-8")
        log = self._log()
        if log:
            text = self.without_paths(log.decode("utf-8", "replace"))
            (self.kept / LOG).write_text(text, encoding="utf-8")
        return digests

    def _log(self) -> bytes:
        try:
            with self._opened() as folder:
                return strange_files.read(folder, LOG, _LONGEST_LOG, tail=True)
        except OSError:
            return b""

    def without_paths(self, text: str) -> str:
        """Return `text` without this machine's paths to the plan, the data repo and the home.

        A traceback names the worktrees in the data repo; a record that contains such a path would
        keep its whole iteration from being committed.
        """
        for folder in (str(self.plan.resolve()), str(self.plan)):
            text = text.replace(f"{folder}/", "").replace(folder, "the plan")
        if self.in_room:
            for room in (str(self.folder.resolve()), str(self.folder.parent)):
                text = text.replace(f"{room}/", "").replace(room, "the room")
        for path in (self.kept.resolve(), self.kept):
            for root in _data_repos(path):
                text = text.replace(f"{root}/", "")
        return text.replace(f"{Path.home()}/", "~/")

    def remove(self) -> None:
        """Remove the directories; scratch is not history."""
        with suppress(OSError, RecursionError):
            shutil.rmtree(self.folder)
        shutil.rmtree(self.kept, ignore_errors=True)


def _data_repos(path: Path) -> list[Path]:
    """Return the directories whose scratch contains `path`; scratches of searches are nested."""
    return [folder.parent for folder in path.parents if folder == Layout(folder.parent).scratch]


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    """Return what shows that a file was left alone, without reading it again."""
    return status.st_ino, status.st_size, status.st_mtime_ns
