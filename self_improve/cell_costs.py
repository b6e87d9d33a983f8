"""What a cell cost, as far as its record tells: what is not told is None, and never 0."""

from __future__ import annotations

import math
from typing import Any

from self_improve.reading import CellReading, Content


def facts_of(cell: CellReading, content: Content | None) -> dict[str, float | None]:
    """Return what a cell cost, as far as its record tells."""
    usage = cell.usage
    wall = _number(usage.get("duration_seconds"))
    queued = _number(usage.get("queued_seconds")) or 0.0
    calls = _number(usage.get("calls"))
    if calls is None and content is not None and content.replies:
        calls = float(len(content.replies))
    return {
        "seconds": None if wall is None else max(wall - queued, 0.0),
        "wall": wall,
        "calls": calls,
        "attempts": _number(usage.get("attempts")),
        "input_tokens": _number(usage.get("input_tokens")),
        "output_tokens": _number(usage.get("output_tokens")),
        "cost": _number(usage.get("cost_usd")),
        "prompt_chars": _number(content.prompt_chars) if content is not None else None,
    }


def costs_of(cell: CellReading, content: Content | None) -> dict[str, Any]:
    """Return the fields of a measured cell that are about its costs."""
    facts = facts_of(cell, content)
    whole = ("calls", "attempts", "input_tokens", "output_tokens")
    counts = {name: None if (n := facts[name]) is None else int(n) for name in whole}
    return {**counts, "seconds": facts["wall"], "cost": facts["cost"]}


def _number(value: Any) -> float | None:
    """Return a cost as a number, or None if the record holds no sensible one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
