"""A comparison as a picture: every effect with its interval, in comparable units."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prompt_lab.markup import plain_line
from rubrics.rubric import Rubric
from self_improve.comparison.comparison import Comparison
from self_improve.verdict.effects import Effect
from self_improve.verdict.statistics.intervals import Interval

_COLOURS = {"better": "#1a7f37", "worse": "#b35900", "open": "#57606a"}
Point = tuple[str, float, float, float]
"""A name, the effect, and both ends of its interval; better is positive."""


def svg(comparison: Comparison, rubric: Rubric) -> str:
    """Return the picture as SVG; the same comparison gives the same bytes."""
    verdict = comparison.verdict
    scales = {use.id: use.scale for use in rubric.metrics}
    points = [_point(e, scales[e.id]) for e in verdict.effects if e.weight]
    measures = sorted((p for p in points if p is not None), key=lambda point: point[1])
    composite = verdict.composite
    total: list[Point] = []
    if composite.effect is not None:
        total = [("all", composite.effect, *_ends(composite.effect, composite.interval))]
    parts = [
        (part.name, part.effect, *_ends(part.effect, part.interval))
        for part in (*composite.plans, *composite.models)
    ]
    with (
        mpl.rc_context(
            {
                "svg.hashsalt": "plumbline", "svg.fonttype": "none", "font.size": 9.0,
                "text.parse_math": False,
            }
        ),
        warnings.catch_warnings(),
    ):  # fmt: skip
        # Text stays text, so glyphs that this machine has no font for do not matter.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=(9, 1.6 + 0.24 * (len(measures) + len(parts) + 1)))
        heights = [max(len(measures), 1), len(parts) + 1]
        above, below = figure.subplots(2, 1, height_ratios=heights)
        _draw(above, measures, "gain in scales of the rubric")
        _draw(below, [*parts, *total], "composite")
        figure.suptitle(f"{verdict.summary} · {verdict.step}")
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _point(effect: Effect, scale: float) -> Point | None:
    if effect.gain is None:
        return None
    sign = 1.0 if effect.direction == "higher" else -1.0
    if effect.interval is None:
        return effect.id, effect.gain, effect.gain, effect.gain
    ends = sorted(sign * end / scale for end in (effect.interval.low, effect.interval.high))
    return effect.id, effect.gain, ends[0], ends[1]


def _ends(effect: float, interval: Interval | None) -> tuple[float, float]:
    return (effect, effect) if interval is None else (interval.low, interval.high)


def _draw(axes: Axes, points: Sequence[Point], label: str) -> None:
    for height, (_, effect, low, high) in enumerate(points):
        state = "better" if low > 0 else "worse" if high < 0 else "open"
        axes.plot([low, high], [height, height], color=_COLOURS[state], linewidth=1.5)
        axes.plot([effect], [height], marker="o", markersize=4, color=_COLOURS[state])
    axes.axvline(0, color="#8c959f", linewidth=0.8)
    axes.set_yticks(range(len(points)), [plain_line(name, most=60) for name, *_ in points])
    axes.set_xlabel(f"{label}, better to the right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
