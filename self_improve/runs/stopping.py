"""What a session asks of whoever may stop it early."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prompt_lab.record import CellKey

Paths = Sequence[Path]
UnderWay = Mapping[Path, Mapping[str, Any]]
"""What `surfaces.json` would say by now of runs that are not finished, by their directory."""


@dataclass(frozen=True, kw_only=True)
class LookResult:
    """What a look has come to: whether a side needs no more cells, and facts for its record."""

    settled: bool
    facts: Mapping[str, Any]


class StoppingRule(Protocol):
    """Says in which order cells are run, and when a side needs no more of them."""

    def begin(self, sides: Sequence[Paths]) -> None:
        """Refuse sides that cannot be compared, before anything is spent."""
        ...

    def groups(self, cells: Collection[CellKey]) -> list[list[CellKey]]:
        """Return the cells in the order in which they are run, with a look after each group."""
        ...

    def look(
        self, number: int, sides: Sequence[Paths], under_way: UnderWay
    ) -> Mapping[int, LookResult]:
        """Return where each judged side stands when the first `number` groups have been run."""
        ...
