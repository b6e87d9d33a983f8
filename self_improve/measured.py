"""What was measured of a cell: the record between measuring and deciding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CellKey = tuple[str, str, int]
"""Plan, model and repeat: what makes two cells a pair."""


@dataclass(frozen=True, kw_only=True)
class MeasuredCell:
    """One cell's measures, by the id of their use in the rubric.

    A measure that is undefined for the cell is absent, never 0; a failed cell has none of its
    content. `items` counts the items of the cleaned form, `lengths` the characters of each field
    (both for ratios between two sides). `seconds` is wall time, `cost` in dollars or None.
    """

    plan: str
    model: str
    repeat: int
    succeeded: bool
    partial: bool = False
    failure_kind: str | None = None
    items: int | None = None
    lengths: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    calls: int | None = None
    seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    @property
    def key(self) -> CellKey:
        """The cell's place in a comparison."""
        return self.plan, self.model, self.repeat


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """The cells of one run, with what the record says of it (`meta` as in `meta.json`)."""

    path: Path
    step: str
    model: str
    rubric_version: int
    cells: tuple[MeasuredCell, ...]
    evidence: str = "historical"
    reasons: tuple[str, ...] = ()
