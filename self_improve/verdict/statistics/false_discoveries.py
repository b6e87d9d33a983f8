"""Many metrics at once: how many of those that seem to have moved may be chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def adjusted(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return for each p-value the smallest rate of false discoveries at which it counts.

    Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, 1995. What is None stays
    None and counts for nothing.
    """
    known = {name: p for name, p in p_values.items() if p is not None}
    order = sorted(known, key=lambda name: known[name])
    ranks = np.arange(1, len(order) + 1)
    raw = np.array([known[name] for name in order]) * len(order) / ranks
    steps = np.minimum.accumulate(raw[::-1])[::-1] if order else raw
    found = {name: min(float(step), 1.0) for name, step in zip(order, steps, strict=True)}
    return {name: found.get(name) for name in p_values}


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return for each p-value the smallest rate of any false discovery at which it counts.

    S. Holm, A simple sequentially rejective multiple test procedure, 1979. What is None stays
    None and counts for nothing.
    """
    known = {name: p for name, p in p_values.items() if p is not None}
    order = sorted(known, key=lambda name: known[name])
    raw = np.array([known[name] for name in order]) * np.arange(len(order), 0, -1)
    steps = np.maximum.accumulate(raw) if order else raw
    found = {name: min(float(step), 1.0) for name, step in zip(order, steps, strict=True)}
    return {name: found.get(name) for name in p_values}
