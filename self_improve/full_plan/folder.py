"""Where a comparison is kept: its identity, its plans, and the file that says it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from model_gateway.counsel import spent_in
from model_gateway.jsonl import read_rows
from model_gateway.ledger import Spend, spent_before
from model_gateway.ping_journal import PingJournal
from prompt_lab.claim import claim
from prompt_lab.layout import Layout, runs
from prompt_lab.record import RESERVATIONS, Run
from prompt_lab.work_folder import IDENTITY, WorkFolder

RESULT, PAGE = "comparison.json", "comparison.md"
KPIS, PLAN, BASELINE = "kpi_comparison.json", "plan", "baseline"


@dataclass(frozen=True)
class ComparisonFolder(WorkFolder):
    """The directory of one comparison, `full_plan_comparisons/<date>/` or `<date>-<n>/`."""

    KIND = "full_plan"

    @property
    def counsel(self) -> Path:
        """The directory of what the judge was asked, one folder per step and plan."""
        return self.path / "_judge"  # No plan has this name.

    def runs(self, side: str) -> Layout:
        """Return where the runs of a side are, one per step."""
        return Layout(self.scratch / side / "runs")

    def plans(self, side: str) -> Path:
        """Return the directory in which the plans of a side are assembled."""
        return self.scratch / side / "plans"

    def result(self) -> dict[str, Any] | None:
        """Return the result of the comparison, or None if it is not complete."""
        return self.read(RESULT)

    @property
    def pings(self) -> PingJournal:
        """The record of checks whether the models answer."""
        return PingJournal(self.scratch / RESERVATIONS)

    def spent(self) -> Spend:
        """Return what earlier sessions spent on it."""
        spent = self.pings.spent()
        for folder in self.counsel.iterdir() if self.counsel.is_dir() else ():
            spent += spent_in(folder)
        for side in self.scratch.iterdir() if self.scratch.is_dir() else ():
            for path in runs(self.runs(side.name)):
                rows = read_rows(path / RESERVATIONS)[0]
                spent += spent_before(rows, Run(path).attempts())
        return spent

    @classmethod
    def all(cls, layout: Layout) -> list[Self]:
        """Return all comparisons, in the order in which they were begun."""
        top = layout.full_plan_comparisons
        folders = [cls(layout, path) for path in (top.iterdir() if top.is_dir() else ())]
        begun = [folder for folder in folders if (folder.path / IDENTITY).is_file()]
        return sorted(begun, key=lambda folder: folder.identity["begun"])

    @classmethod
    def resume_or_begin(cls, layout: Layout, identity: Mapping[str, Any], *, new: bool) -> Self:
        """Return the latest comparison with this identity, or a new one.

        With `new`, a complete one does not count.

        Raises:
            OSError: the data repo cannot be written.
        """
        with claim(layout, "full-plans", wait_seconds=30.0):
            latest = cls.latest(layout, identity)
            if latest is not None and not (new and latest.result() is not None):
                return latest
            now, number = datetime.now(UTC), 1
            path = top = layout.full_plan_comparisons / now.date().isoformat()
            while path.exists():
                number += 1
                path = top.with_name(f"{top.name}-{number}")
            return cls._create(layout, path, identity, begun=now.isoformat())
