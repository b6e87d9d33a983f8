"""What a campaign counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """How often one kind of harm was tried, and each violation as a sentence that repeats it.

    `refused` are inputs that were rightly refused, of campaigns that count them.
    """

    kind: str
    runs: int
    violations: tuple[str, ...] = ()
    refused: int = 0
