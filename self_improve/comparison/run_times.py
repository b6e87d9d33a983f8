"""When runs were made: whether both sides were, for the most part, at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from model_gateway.jsonl import read_rows
from prompt_lab.record import EVENTS, Run


def together(old: Sequence[Run], new: Sequence[Run]) -> bool:
    """Whether for each model more than half of the shorter side falls into the other's time."""
    sides = [{run.model: _stretch(run) for run in runs} for runs in (old, new)]
    common = sides[0].keys() & sides[1].keys()
    return bool(common) and all(_overlap(sides[0][m], sides[1][m]) for m in common)


def _stretch(run: Run) -> tuple[str, str] | None:
    times = sorted(
        time for row in read_rows(run.path / EVENTS)[0]
        if isinstance(time := row.get("timestamp"), str)
    )  # fmt: skip
    return (times[0], times[-1]) if times else None


def _overlap(one: tuple[str, str] | None, other: tuple[str, str] | None) -> bool:
    if one is None or other is None:
        return False
    shared = _seconds(max(one[0], other[0]), min(one[1], other[1]))
    shorter = min(_seconds(*one), _seconds(*other))
    return shared >= 0 and shared >= shorter / 2


def _seconds(begin: str, end: str) -> float:
    try:
        moments = [datetime.fromisoformat(text) for text in (begin, end)]
        return (moments[1] - moments[0]).total_seconds()
    except (ValueError, TypeError):
        return -1.0
