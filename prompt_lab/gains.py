"""What has been gained since the first iteration: by step and in all, by week, and at what cost."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from prompt_lab.layout import Layout, runs
from prompt_lab.record import Run
from prompt_lab.scores import BASELINE, Score, Scores


@dataclass(frozen=True, kw_only=True)
class StepGain:
    """One step: its best score over its first baseline, in the rubric's composite.

    What was gained and then taken back by a rollback is no gain.

    `cost` is in US dollars over all its iterations, None if one of them is unknown;
    `cost_per_kept` is None as long as nothing was kept.
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
    """One ISO week: what was gained in it and until its end, and how its cells failed."""

    week: str
    gained: float
    total: float
    kept: int
    cells: int
    failures: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Gains:
    """All that the data repo tells of progress."""

    steps: tuple[StepGain, ...]
    weeks: tuple[Week, ...]

    @property
    def total(self) -> float:
        """The sum of the steps' gains."""
        return sum(step.gain for step in self.steps)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        steps = [asdict(s) | {"cost_per_kept": s.cost_per_kept} for s in self.steps]
        return {"total": self.total, "steps": steps, "weeks": [asdict(w) for w in self.weeks]}


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
        steps=tuple(_step(step, own) for step, own in sorted(by_step.items())),
        weeks=tuple(_weeks(rows, map(Run, runs(layout)))),
    )


def _step(step: str, rows: Sequence[Score]) -> StepGain:
    costs: dict[str, float | None] = {}
    for row in rows:
        # Every candidate's row tells what its whole iteration has cost.
        known = [cost for cost in (costs.get(row.iteration), row.cost) if cost is not None]
        costs[row.iteration] = max(known, default=None)
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
    kept: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    failures: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        week = _week(row.date)
        gained[week] += _gain(row)
        kept[week] += row.is_kept
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
            week=week, gained=gained[week], total=total, kept=kept[week], cells=cells[week],
            failures=dict(failures[week]),
        )  # fmt: skip


def _week(day: str) -> str:
    try:
        year, week, _ = date.fromisoformat(day[:10]).isocalendar()
    except ValueError:
        return "unknown"
    return f"{year}-W{week:02d}"


def text(found: Gains) -> str:
    """Return the gains as plain tables."""
    if not found.steps:
        return "Nothing was judged yet. Begin with: python run_optimization_iteration.py --help\n"
    head = ("step", "gain", "iterations", "kept", "rejected", "cost", "cost per kept")
    table: list[tuple[str, ...]] = [head]
    for step in found.steps:
        name = f"SIMULATED {step.step}" if step.simulated else step.step
        table.append(
            (
                name, f"{step.gain:+.2f}", str(step.iterations), str(step.kept),
                str(step.rejected), _dollars(step.cost), _dollars(step.cost_per_kept),
            )
        )  # fmt: skip
    table.append(("in all", f"{found.total:+.2f}", "", "", "", "", ""))
    weeks: list[tuple[str, ...]] = [("week", "gained", "total", "kept", "cells", "failures")]
    for week in found.weeks:
        told = ", ".join(f"{kind} {n}" for kind, n in sorted(week.failures.items())) or "none"
        weeks.append(
            (
                week.week, f"{week.gained:+.2f}", f"{week.total:+.2f}", str(week.kept),
                str(week.cells), told,
            )
        )  # fmt: skip
    return f"{_aligned(table)}\n{_aligned(weeks)}"


def table_csv(found: Gains) -> str:
    """Return the weeks as CSV: one row a week, one column a kind of failure."""
    kinds = sorted({kind for week in found.weeks for kind in week.failures})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["week", "gained", "total", "kept", "cells", *(f"failed_{k}" for k in kinds)])
    for week in found.weeks:
        counts = [week.failures.get(kind, 0) for kind in kinds]
        writer.writerow([week.week, week.gained, week.total, week.kept, week.cells, *counts])
    return file.getvalue()


def drawing(found: Gains) -> str:
    """Return the total gain and the share of failed cells over the weeks, as SVG."""
    # Imported here because only this needs it, and it takes half a second.
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    names = [week.week for week in found.weeks]
    figure = Figure(figsize=(max(6, len(names)), 6), layout="tight")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(names, [week.total for week in found.weeks], marker="o")
    above.set_ylabel("gain over the first baseline")
    bottom = [0.0] * len(names)
    for kind in sorted({kind for week in found.weeks for kind in week.failures}):
        share = [w.failures.get(kind, 0) / w.cells if w.cells else 0.0 for w in found.weeks]
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


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)
