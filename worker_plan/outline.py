"""The work breakdown as its readers want it: names and how deep they stand, read off its table."""

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

    `table` has a head, one column for each level, and the ids of the tasks in the last column.
    Rows that name nothing are left out.
    """
    found = []
    for row in islice(csv.reader(io.StringIO(table), delimiter=_DELIMITER), 1, None):
        named = [(depth, cell.strip()) for depth, cell in enumerate(row[:-1]) if cell.strip()]
        found += [Entry(depth=depth, name=text_of(name)) for depth, name in named[:1]]
    return found


def outline(table: str) -> str:
    """Return the work breakdown as a list in Markdown; ids would cost a model more than names."""
    return "\n".join(f"{'  ' * entry.depth}- {entry.name}" for entry in entries(table))
