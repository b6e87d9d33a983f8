"""Many tests at once: how many of those that seem to show something may do so by chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats


def benjamini_hochberg(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return for each p-value the smallest false discovery rate at which it is significant.

    Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, 1995, as scipy computes it.
    None stays None and does not count as a test.
    """
    defined = {name: p for name, p in p_values.items() if p is not None}
    rates = stats.false_discovery_control(list(defined.values())) if defined else ()
    return dict.fromkeys(p_values) | dict(zip(defined, map(float, rates), strict=True))


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return for each p-value the smallest family-wise error rate at which it is significant.

    S. Holm, A simple sequentially rejective multiple test procedure, 1979. None stays None and
    does not count as a test.
    """
    defined = {name: p for name, p in p_values.items() if p is not None}
    order = sorted(defined, key=lambda name: defined[name])
    steps = [defined[name] * (len(order) - rank) for rank, name in enumerate(order)]
    rates = np.minimum(np.maximum.accumulate(steps), 1.0) if steps else ()
    return dict.fromkeys(p_values) | dict(zip(order, map(float, rates), strict=True))
