"""Numbers, intervals and tables as plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol


class Ends(Protocol):
    """A range of numbers."""

    @property
    def low(self) -> float:
        """Its lower end."""

    @property
    def high(self) -> float:
        """Its upper end."""


def number(value: float | None, form: str = "", missing: str = "–") -> str:
    """Return a number for people.

    A `form` that is empty or only a sign takes as many decimals as the size makes useful.
    """
    if value is None:
        return missing
    if form in {"", "+"}:
        size = abs(value)
        form += ",.0f" if size >= 100 else ".2f" if size >= 10 else ".3f"
    return format(value, form)


def interval(
    ends: Ends | tuple[float, float] | None, form: str = "+.3f", missing: str = "–"
) -> str:
    """Return an interval for people."""
    if ends is None:
        return missing
    low, high = ends if isinstance(ends, tuple) else (ends.low, ends.high)
    return f"{low:{form}} to {high:{form}}"


def aligned(
    rows: Sequence[Sequence[str]], *, right: Collection[int] = (), rule: bool = False
) -> list[str]:
    """Return rows of equal length as lines with aligned columns.

    The columns in `right` are flush right; `rule` draws a line below the first row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    drawn = [rows[0], ["─" * width for width in widths], *rows[1:]] if rule else rows
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in drawn
    ]
