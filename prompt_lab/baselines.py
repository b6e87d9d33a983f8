"""The baseline plans that a run's outputs are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_lab.layout import SPLITS, Layout


@dataclass(frozen=True)
class Baselines:
    """Directories that hold baseline plans by name; the first that has a plan counts."""

    folders: Sequence[Path] = ()

    def plan(self, name: str) -> Path | None:
        """Return the directory of a baseline plan, or None if it is missing."""
        for folder in self.folders:
            if name and (folder / name).is_dir():
                return folder / name
        return None


def beside(run: Path, more: Sequence[Path] = ()) -> Baselines:
    """Return the baseline plans of the data repo that contains a run, after those in `more`."""
    history = run.resolve().parents[1] if len(run.resolve().parents) > 1 else run
    splits = [Layout(history.parent).split(split) for split in SPLITS]
    return Baselines((*more, *(folder for folder in splits if history.name == "history")))
