"""The benchmark's figures, one for each question; equal numbers give equal bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from self_improve.benchmark.experiments.resume_check import Resumed
from self_improve.benchmark.ranking import SHARES, Rank, RankEstimate, Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOT, _LINE, _MISSED = "#1f5f8b", "#9bb8cc", "#b04a2f"
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "plumbline", "svg.fonttype": "path", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "figure.autolayout": True,
}  # fmt: skip


def draw(ranking: Ranking, resumed: Sequence[Resumed], folder: Path) -> list[tuple[str, str]]:
    """Write all figures to `folder`; return the name and the question of each.

    Raises:
        OSError: the folder cannot be written.
    """
    # Importing matplotlib takes half a second, and most uses of this package draw nothing.
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_SETTINGS):
        return [_saved(folder, *one) for one in _figures(ranking, resumed)]


def _figures(
    ranking: Ranking, resumed: Sequence[Resumed]
) -> list[tuple[str, str, Callable[[], Any]]]:
    def of(pick: Callable[[Rank], RankEstimate], label: str) -> Callable[[], Any]:
        return lambda: _dots([(row.generator, pick(row)) for row in ranking.rows], label)

    def to(attribute: str, label: str, most: float) -> Callable[[], Any]:
        return lambda: _reaching(ranking.rows, attribute, label, most)

    most_calls = max((row.asked for row in ranking.rows), default=1.0)
    return [
        ("step_calls", "How many step calls until 50, 80 and 95 % of what can be gained?",
         to("cells_to", "step calls; ×: under half got there",
            ranking.budget)),
        ("proposer_calls", "How many proposer calls until then?",
         to("asked_to", "proposer calls; ×: under half got there",
            most_calls)),
        ("best_so_far", "How does the best so far rise?", lambda: _curves(ranking)),
        ("area", "How much of the gain is there on average while the budget is spent?",
         of(lambda row: row.area, "area under the best so far, share of what can be gained")),
        ("verify_gain", "What is left of the gain on plans that no search saw?",
         of(lambda row: row.verify_gain, "gain of the mean fitness on verify plans")),
        ("worst_model", "How much does the worst model lose?",
         of(lambda row: row.regression, "change of the worst model where it is a loss")),
        ("gap", "How much of the gain is only on the train plans?",
         of(lambda row: row.gap, "gain on train less gain on verify plans")),
        ("overshoot", "How many step calls beyond the budget?",
         lambda: _bars([(r.generator, float(r.overshoot)) for r in ranking.rows],
                       "step calls beyond the budget, all searches together")),
        ("resume", "How much is repeated after a kill and a resume?",
         lambda: _bars([(r.generator, float(r.repeated)) for r in _in_order(ranking, resumed)],
                       "step and proposer calls made again")),
    ]  # fmt: skip


def _in_order(ranking: Ranking, resumed: Sequence[Resumed]) -> list[Resumed]:
    order = {row.generator: index for index, row in enumerate(ranking.rows)}
    return sorted(resumed, key=lambda one: order.get(one.generator, len(order)))


def _saved(folder: Path, name: str, question: str, make: Callable[[], Any]) -> tuple[str, str]:
    from matplotlib import pyplot as plt

    figure = make()
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
    return name, question


def _axes(rows: int) -> tuple[Any, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 1.0 + 0.26 * max(rows, 4)))
    return figure, figure.subplots()


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)


def _dots(rows: Sequence[tuple[str, RankEstimate]], label: str) -> Any:
    figure, axes = _axes(len(rows))
    for y, (_, one) in enumerate(rows):
        axes.plot([one.low, one.high], [y, y], color=_LINE, linewidth=3)
        axes.plot([one.value], [y], "o", color=_DOT, markersize=5)
    axes.axvline(0, color="#bbbbbb", linewidth=0.8)
    axes.set_xlabel(f"{label}; mean and 95 % interval")
    _names(axes, [name for name, _ in rows])
    return figure


def _bars(rows: Sequence[tuple[str, float]], label: str) -> Any:
    figure, axes = _axes(len(rows))
    axes.barh(range(len(rows)), [value for _, value in rows], color=_DOT)
    axes.set_xlim(0, max([1.0, *(value for _, value in rows)]))
    axes.set_xlabel(label)
    _names(axes, [name for name, _ in rows])
    return figure


def _reaching(rows: Sequence[Rank], attribute: str, label: str, most: float) -> Any:
    figure, axes = _axes(len(rows) * 2)
    for index, row in enumerate(rows):
        estimates = getattr(row, attribute)
        for n, share in enumerate(SHARES):
            one, at = estimates[share], index + 0.25 * (n - 1)
            shade = (0.45, 0.7, 1.0)[n]
            if math.isinf(one.value):
                axes.plot([most * 1.04], [at], "x", color=_MISSED, markersize=4, alpha=shade)
                continue
            axes.plot([one.low, min(one.high, most)], [at, at], color=_LINE, linewidth=2)
            axes.plot([one.value], [at], "o", color=_DOT, markersize=4, alpha=shade)
    axes.set_xlabel(f"{label}; from top 50, 80, 95 %; median, 95 % interval")
    _names(axes, [row.generator for row in rows])
    return figure


def _curves(ranking: Ranking) -> Any:
    from matplotlib import colormaps

    figure, axes = _axes(14)
    shades = colormaps["tab20"]
    for index, row in enumerate(ranking.rows):
        axes.plot(
            ranking.grid, row.curve, label=row.generator, color=shades(index % 20), linewidth=1.4,
            linestyle="-" if index < 10 else "--",
        )  # fmt: skip
    axes.set_xlabel("step calls")
    axes.set_ylabel("median share of what can be gained")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure
