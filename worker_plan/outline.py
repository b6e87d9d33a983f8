"""The outline of the work: names and depths, from the table of the work breakdown."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import islice

from worker_plan.spreadsheet import text_of

_DELIMITER = ";"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One piece of work; `depth` counts from 0, the plan as a whole."""

    depth: int
    name: str


def entries(table: str) -> list[Entry]:
    """Return the rows of the work breakdown, in their order.

    `table` has a header, one column for each level, and the ids of the tasks in the last column.
    Rows without a name are left out.
    """
    rows = []
    for row in islice(csv.reader(io.StringIO(table), delimiter=_DELIMITER), 1, None):
        named = [(depth, cell.strip()) for depth, cell in enumerate(row[:-1]) if cell.strip()]
        rows += [Entry(depth=depth, name=text_of(name)) for depth, name in named[:1]]
    return rows


def outline(table: str) -> str:
    """Return the work breakdown as a Markdown list, without ids, which cost many tokens."""
    return "\n".join(f"{'  ' * entry.depth}- {entry.name}" for entry in entries(table))
