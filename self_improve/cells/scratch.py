"""A cell's working directory: a copy of the step's inputs, and what the step leaves in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from prompt_lab.layout import Layout
from prompt_lab.record import CELL_ROW, file_digest
from self_improve.cells.cell import LOG, PLAN
from self_improve.host.plans import PlanInputs

TRACE = "trace.txt"
_RECORD = {USAGE, OVERVIEW, TRACE, LOG, CELL_ROW}
_STEP = "step"

PlacedInputs = dict[str, tuple[int, int, int]]
"""A stamp of each input as it was copied, by name: it shows whether the step changed the file."""


@dataclass(frozen=True)
class Scratch:
    """The directory of one cell; the plan's copy is in `plan/`, what is collected in `kept/`."""

    folder: Path

    @property
    def plan(self) -> Path:
        """The directory that the step's task works in."""
        return self.folder / PLAN

    @property
    def collected(self) -> Path:
        """The directory that the run takes over as a whole."""
        return self.folder / "kept"

    def prepare(self, inputs: PlanInputs) -> PlacedInputs:
        """Create a fresh directory with copies of the inputs, under the names the step knows.

        They are copies, never links: some tasks overwrite files in place.

        Raises:
            OSError: the data repo cannot be written, or is full.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.plan.mkdir(parents=True)
        placed: PlacedInputs = {}
        for name, source in inputs.files.items():
            target = self.plan / name
            if "/" in name:
                target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.write(source.read_bytes())
                file.flush()
                placed[name] = _stamp(os.fstat(file.fileno()))
        return placed

    def collect(
        self, inputs: PlanInputs, attempts: Iterable[Attempt], placed: PlacedInputs
    ) -> dict[str, str]:
        """Move what the step wrote or changed into `kept/`, with the cell's usage and log.

        `placed` is what `prepare` returned. An artifact that is named like a file of the record
        goes into `step/`. Returns the SHA-256 of each artifact by name.
        """
        self.collected.mkdir()
        digests: dict[str, str] = {}
        for path in sorted(_files(self.plan)):
            name = path.relative_to(self.plan).as_posix()
            if placed.get(name) == _stamp(path.stat()):
                continue
            digest = file_digest(path)
            if inputs.digests.get(name) == digest:
                continue
            if name in _RECORD:
                name = f"{_STEP}/{name}"
            digests[name] = digest
            target = self.collected / name
            if "/" in name:
                target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        listed = list(attempts)
        usage = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in usage_rows(listed))
        (self.collected / USAGE).write_text(usage, encoding="utf-8")
        (self.collected / OVERVIEW).write_text(_json(overview(listed)), encoding="utf-8")
        log = (self.folder / LOG).read_bytes() if (self.folder / LOG).exists() else b""
        if log:
            text = self.without_paths(log.decode("utf-8", "replace"))
            (self.collected / LOG).write_text(text, encoding="utf-8")
        return digests

    def without_paths(self, text: str) -> str:
        """Return `text` without this machine's paths to the plan, the data repo and the home.

        A traceback names the worktrees in the data repo; a record that contains such a path would
        keep its whole iteration from being committed.
        """
        for folder in (str(self.plan.resolve()), str(self.plan)):
            text = text.replace(f"{folder}/", "").replace(folder, "the plan")
        for path in (self.folder.resolve(), self.folder):
            for root in _data_repos(path):
                text = text.replace(f"{root}/", "")
        return text.replace(f"{Path.home()}/", "~/")

    def remove(self) -> None:
        """Remove the directory; scratch is not history."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _data_repos(path: Path) -> list[Path]:
    """Return the directories whose scratch contains `path`; scratches of searches are nested."""
    return [folder.parent for folder in path.parents if folder == Layout(folder.parent).scratch]


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder`; links and names with a dot are not artifacts."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                yield Path(entry.path)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    """Return what shows that a file was left alone, without reading it again."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
