"""Share of cells that failed in each way.

Unit: share of cells. Range: 0 to 1, lower is better. The kinds are the gateway's; `no_items`,
`unreadable` and `too_large` are what a row with status ok can hide, and `other` is a failure of
the step itself. Only kinds that occur are listed; undefined without cells.
Source: the last row of each cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from self_improve.measures.measured import MeasuredCell

UNIT, RANGE = "share of cells", (0.0, 1.0)


def summarise(cells: Sequence[MeasuredCell]) -> Mapping[str, float]:
    """Return `failed:<kind>` for every kind that occurs."""
    kinds = Counter(cell.failure_kind or "other" for cell in cells if not cell.succeeded)
    return {f"failed:{kind}": count / len(cells) for kind, count in sorted(kinds.items())}
