"""Share of the cells that succeeded in which a call failed, or was saved from a broken reply.

Unit: share of cells that succeeded. Range: 0 to 1, lower is better. Undefined without success.
Source: the cell's row, in older records the event `partial_recovery`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from self_improve.measures.measured import MeasuredCell

UNIT, RANGE = "share of cells that succeeded", (0.0, 1.0)


def summarise(cells: Sequence[MeasuredCell]) -> Mapping[str, float]:
    """Return the rate of recovered cells."""
    done = [cell for cell in cells if cell.succeeded]
    if not done:
        return {}
    return {"recovered_partial": sum(cell.partial for cell in done) / len(done)}
