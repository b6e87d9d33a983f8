"""Where a comparison is kept: its order, its plans, and the file that says it is whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.counsel import spent_in
from model_gateway.jsonl import Appender, read_rows
from model_gateway.ledger import Spend, spent_before
from prompt_lab import atomic
from prompt_lab.claim import claim
from prompt_lab.layout import Layout, runs
from prompt_lab.record import RESERVATIONS, Run

ORDER, RESULT, PAGE = "order.json", "comparison.json", "comparison.md"
KPIS, REPORT, PLAN, BASELINE = "kpi_comparison.json", "030-report.html", "plan", "baseline"


@dataclass(frozen=True)
class ComparisonFolder:
    """The directory of one comparison, `full_plan_comparisons/<date>/` or `<date>-<n>/`."""

    layout: Layout
    path: Path

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
    def scratch(self) -> Path:
        """The directory for what is under way. Not versioned."""
        return self.layout.scratch / "full_plans" / self.id

    @property
    def counsel(self) -> Path:
        """The directory of what the judge was asked, a folder a step."""
        return self.path / "_judge"  # No plan is called so.

    def runs(self, side: str) -> Layout:
        """Return where the runs of a side lie, one a step."""
        return Layout(self.scratch / side / "runs")

    def plans(self, side: str) -> Path:
        """Return where the plans of a side are put together."""
        return self.scratch / side / "plans"

    def result(self) -> dict[str, Any] | None:
        """Return what the comparison came to, or None if it is not whole."""
        path = self.path / RESULT
        if not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def note_pings(self, pinged: Mapping[str, Spend]) -> None:
        """Remember what looking for the models has cost, so that a later session counts it."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        with Appender(self.scratch / RESERVATIONS) as file:
            for model, spend in pinged.items():
                identity = {"preflight": model, "at": datetime.now(UTC).isoformat()}
                file.append(
                    {"reserved": identity, "tokens": spend.tokens, "dollars": spend.dollars},
                    sync=True,
                )

    def spent(self) -> Spend:
        """Return what earlier sessions spent on it."""
        spent = spent_before(read_rows(self.scratch / RESERVATIONS)[0], [])
        for folder in self.counsel.iterdir() if self.counsel.is_dir() else ():
            spent += spent_in(folder)
        for side in self.scratch.iterdir() if self.scratch.is_dir() else ():
            for path in runs(self.runs(side.name)):
                rows = read_rows(path / RESERVATIONS)[0]
                spent += spent_before(rows, Run(path).attempts())
        return spent


def places(layout: Layout) -> list[ComparisonFolder]:
    """Return all comparisons, in the order in which they were begun."""
    folder = layout.full_plan_comparisons
    found = [ComparisonFolder(layout, p) for p in (folder.iterdir() if folder.is_dir() else ())]
    begun = [place for place in found if (place.path / ORDER).is_file()]
    return sorted(begun, key=lambda place: place.order["begun"])


def placed(layout: Layout, order: Mapping[str, Any], *, new: bool) -> ComparisonFolder:
    """Return the latest comparison with this order, or a new one that has just that order in it.

    With `new` one that is whole does not count.

    Raises:
        OSError: the data repo cannot be written.
    """
    digest = digest_of(order)
    with claim(layout, "full-plans", wait_seconds=30.0):
        like = [place for place in places(layout) if place.order["digest"] == digest]
        if like and not (new and like[-1].result() is not None):
            return like[-1]
        return _begun(layout, {**order, "digest": digest})


def _begun(layout: Layout, order: Mapping[str, Any]) -> ComparisonFolder:
    now, number = datetime.now(UTC), 1
    day, folder = now.date().isoformat(), layout.full_plan_comparisons
    while (path := folder / (day if number == 1 else f"{day}-{number}")).exists():
        number += 1
    fresh = layout.scratch / f"full-plan-{path.name}"
    fresh.mkdir(parents=True, exist_ok=True)
    atomic.write(fresh / ORDER, to_json({**order, "begun": now.isoformat()}))
    folder.mkdir(parents=True, exist_ok=True)
    fresh.rename(path)
    return ComparisonFolder(layout, path)


@contextlib.contextmanager
def held(place: ComparisonFolder) -> Iterator[None]:
    """Be the only process that works on a comparison.

    Raises:
        LabError: another process does.
    """
    with claim(place.layout, f"full-plan-{place.id}"):
        yield


def to_json(value: Any) -> bytes:
    """Return plain values as the bytes of a file."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"
