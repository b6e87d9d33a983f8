"""Share of cells that succeeded: the step ended and what it wrote can be measured.

Unit: share of cells. Range: 0 to 1, higher is better. Undefined without cells.
Source: the last row of each cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from self_improve.measures.measured import MeasuredCell

UNIT, RANGE = "share of cells", (0.0, 1.0)


def summarise(cells: Sequence[MeasuredCell]) -> Mapping[str, float]:
    """Return the rate of success."""
    if not cells:
        return {}
    return {"success": sum(cell.succeeded for cell in cells) / len(cells)}
