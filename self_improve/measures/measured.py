"""What was measured of a cell: the record between measuring and deciding.

The contract between them. Fields are added with a default, never renamed or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prompt_lab.record import CellKey, Evidence


@dataclass(frozen=True, kw_only=True)
class MeasuredCell:
    """One cell's measures, by the id of their use in the rubric.

    A measure that is undefined for the cell is absent, never 0; a failed cell has no `values`,
    `lengths` or `items` at all. `succeeded` means more than the status in the record: the step's
    output can be read and holds at least one item. `failure_kind` is one of the table in
    `model_gateway.blame`, or None where the step failed for another reason.

    `items` counts the items of the cleaned form, `filled` those whose required fields are not
    mostly blank, `lists` those of each list that the rubric names. `lengths` holds the mean number
    of characters of a text in each of its fields, under "" that of all texts (for ratios between
    two sides), `texts` their number, and `closed` the share that ends with a mark; a field of the
    replies is there as `form_key` has it.
    `seconds` is wall time of the cell, `cost` in dollars or None; `attempts - calls` are retries;
    `prompt_chars` counts the characters of prompt that were sent, without the plan's own text (the
    shorter prompt wins).
    """

    plan: str
    model: str
    repeat: int
    succeeded: bool
    partial: bool = False
    failure_kind: str | None = None
    items: int | None = None
    filled: int | None = None
    lengths: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, int] = field(default_factory=dict)
    closed: Mapping[str, float] = field(default_factory=dict)
    lists: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    calls: int | None = None
    attempts: int | None = None
    prompt_chars: int | None = None
    seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    @property
    def key(self) -> CellKey:
        """What identifies the cell in a comparison."""
        return self.plan, self.model, self.repeat

    def kept_less(self, share: float, other: MeasuredCell) -> bool:
        """Whether less than this share of the other cell's items is here, blank ones not counted.

        False where a cell failed.
        """
        if not self.succeeded or not other.succeeded:
            return False
        counts = [(other.items, self.items), (other.filled, self.filled)]
        return any(a is not None and b is not None and b < share * a for a, b in counts)

    def holds_less(self, share: float, other: MeasuredCell, fields: Iterable[str]) -> bool:
        """Whether an item holds less than this share of the other cell's texts in one of `fields`.

        A field that is emptied in all items counts, and so does a list that lost most of its texts.
        False where a cell failed.
        """
        if not self.succeeded or not other.succeeded or not self.items or not other.items:
            return False
        # Multiplied across, because a share of a share is seldom exact.
        return any(
            self.texts.get(name, 0) * other.items < share * other.texts.get(name, 0) * self.items
            for name in fields
        )


def form_key(name: str, of: str) -> str:
    """Return the key of a field in `lengths`, `texts` and `closed` of a measured cell."""
    return f"{name}@replies" if of == "replies" else name


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """The cells of one run. What its record says of itself is read from `path`.

    `summary` holds what is measured of the run as a whole (rates of success and recovery, pass@k
    over repeats, shares of the kinds of failure), by name. `reasons` say why `evidence` is not
    better. `faults` keep a run from being evidence, `notes` name gaps in its record. `restricted`
    means that only some of its cells are taken here. A baseline plan is measured as a run of its
    own (see `measurer.baseline`), whose cells carry the keys of the run they belong to.
    """

    path: Path
    step: str
    model: str
    rubric_version: int
    cells: tuple[MeasuredCell, ...]
    evidence: Evidence = Evidence.historical
    reasons: tuple[str, ...] = ()
    summary: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    restricted: bool = False
