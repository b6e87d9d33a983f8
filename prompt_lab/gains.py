"""The gains since the first iteration: by step and in total, by week, and at what cost."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from prompt_lab import bills
from prompt_lab.bills import Bill
from prompt_lab.layout import Layout, runs
from prompt_lab.record import Run
from prompt_lab.scores import BASELINE, Score, Scores
from prompt_lab.tables import aligned


@dataclass(frozen=True, kw_only=True)
class StepGain:
    """One step: its best score over its first baseline, in the rubric's composite.

    A gain that a rollback took back does not count.

    `cost` is in US dollars over all its iterations, None if one of them is unknown;
    `cost_per_kept` is None while nothing was kept.
    """

    step: str
    iterations: int
    kept: int
    rejected: int
    gain: float
    cost: float | None
    simulated: bool

    @property
    def cost_per_kept(self) -> float | None:
        """US dollars for each improvement that was kept."""
        return None if self.cost is None or not self.kept else self.cost / self.kept


@dataclass(frozen=True, kw_only=True)
class Week:
    """One ISO week: its gain, the total at its end, and how its cells failed."""

    week: str
    gained: float
    total: float
    kept: int
    cells: int
    failures: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Gains:
    """All gains in a data repo, and what was billed for them."""

    steps: tuple[StepGain, ...]
    weeks: tuple[Week, ...]
    bills: tuple[Bill, ...] = ()

    @property
    def total(self) -> float:
        """The sum of the steps' gains."""
        return sum(step.gain for step in self.steps)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        steps = [asdict(s) | {"cost_per_kept": s.cost_per_kept} for s in self.steps]
        weeks, rows = [asdict(w) for w in self.weeks], [asdict(b) for b in self.bills]
        return {"total": self.total, "steps": steps, "weeks": weeks, "bills": rows}


def gains(layout: Layout) -> Gains:
    """Read scoreboard and history.

    Raises:
        LabError: the scoreboard cannot be read.
    """
    rows = [row for row in Scores(layout).rows() if row.verdict != BASELINE]
    by_step: defaultdict[str, list[Score]] = defaultdict(list)
    for row in rows:
        by_step[row.step].append(row)
    return Gains(
        steps=tuple(_step(step, scores) for step, scores in sorted(by_step.items())),
        weeks=tuple(_weeks(rows, map(Run, runs(layout)))),
        bills=bills.bills_of(map(Run, runs(layout))),
    )


def _step(step: str, rows: Sequence[Score]) -> StepGain:
    costs: dict[str, float | None] = {}
    for row in rows:
        # Every candidate's row holds the cost of its whole iteration.
        reported = [cost for cost in (costs.get(row.iteration), row.cost) if cost is not None]
        costs[row.iteration] = max(reported, default=None)
    return StepGain(
        step=step,
        iterations=len({row.iteration for row in rows if not row.goes_back}),
        kept=sum(row.is_kept for row in rows),
        rejected=sum(row.verdict.split()[-1] == "NO" for row in rows),
        gain=sum(map(_gain, rows)),
        cost=None if None in costs.values() else sum(c for c in costs.values() if c is not None),
        simulated=any(row.verdict.startswith("SIMULATED") for row in rows),
    )


def _gain(row: Score) -> float:
    return (row.delta or 0.0) if row.is_kept or row.goes_back else 0.0


def _weeks(rows: Sequence[Score], history: Iterable[Run]) -> Iterable[Week]:
    gained: defaultdict[str, float] = defaultdict(float)
    keeps: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    failures: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        week = _week(row.date)
        gained[week] += _gain(row)
        keeps[week] += row.is_kept
    for run in history:
        created = run.meta.get("created")
        if not isinstance(created, str):
            continue  # Older records do not say when they were made.
        week = _week(created)
        for cell in run.rows().values():
            cells[week] += 1
            if cell.get("error") is not None:
                failures[week][str(cell.get("failure_kind") or "other")] += 1
    total = 0.0
    for week in sorted({*gained, *cells}):
        total += gained[week]
        yield Week(
            week=week, gained=gained[week], total=total, kept=keeps[week], cells=cells[week],
            failures=dict(failures[week]),
        )  # fmt: skip


def _week(day: str) -> str:
    try:
        year, week, _ = date.fromisoformat(day[:10]).isocalendar()
    except ValueError:
        return "unknown"
    return f"{year}-W{week:02d}"


def text(gains: Gains) -> str:
    """Return the gains as plain tables."""
    if not gains.steps:
        none = "No iteration has ended yet. See: python run_optimization_iteration.py --help\n"
        return "\n".join([none, *bills.table(gains.bills)])
    head = ("step", "gain", "iterations", "kept", "rejected", "cost", "cost per kept")
    table: list[tuple[str, ...]] = [head]
    for step in gains.steps:
        name = f"SIMULATED {step.step}" if step.simulated else step.step
        table.append(
            (
                name, f"{step.gain:+.2f}", str(step.iterations), str(step.kept),
                str(step.rejected), _dollars(step.cost), _dollars(step.cost_per_kept),
            )
        )  # fmt: skip
    table.append(("total", f"{gains.total:+.2f}", "", "", "", "", ""))
    weeks: list[tuple[str, ...]] = [("week", "gained", "total", "kept", "cells", "failures")]
    for week in gains.weeks:
        failures = ", ".join(f"{kind} {n}" for kind, n in sorted(week.failures.items()))
        weeks.append(
            (
                week.week, f"{week.gained:+.2f}", f"{week.total:+.2f}", str(week.kept),
                str(week.cells), failures or "none",
            )
        )  # fmt: skip
    return "\n".join([*aligned(table), "", *aligned(weeks), "", *bills.table(gains.bills)])


def table_csv(gains: Gains) -> str:
    """Return the weeks as CSV: one row a week, one column a kind of failure."""
    kinds = sorted({kind for week in gains.weeks for kind in week.failures})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["week", "gained", "total", "kept", "cells", *(f"failed_{k}" for k in kinds)])
    for week in gains.weeks:
        counts = [week.failures.get(kind, 0) for kind in kinds]
        writer.writerow([week.week, week.gained, week.total, week.kept, week.cells, *counts])
    return file.getvalue()


def drawing(gains: Gains) -> str:
    """Return the total gain and the share of failed cells over the weeks, as SVG."""
    # Imported here because only this needs it, and it takes half a second.
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    names = [week.week for week in gains.weeks]
    figure = Figure(figsize=(max(6, len(names)), 6), layout="tight")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(names, [week.total for week in gains.weeks], marker="o")
    above.set_ylabel("gain over the first baseline")
    bottom = [0.0] * len(names)
    for kind in sorted({kind for week in gains.weeks for kind in week.failures}):
        share = [w.failures.get(kind, 0) / w.cells if w.cells else 0.0 for w in gains.weeks]
        below.bar(names, share, bottom=bottom, label=kind)
        bottom = [b + s for b, s in zip(bottom, share, strict=True)]
    below.set_ylabel("share of failed cells")
    if any(bottom):
        below.legend()
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "plumbline"}):  # The same gains, the same bytes.
        figure.set_canvas(FigureCanvasSVG(figure))
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": "Gains"})
    return file.getvalue()


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:.2f}"
