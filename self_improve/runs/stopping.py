"""The interface of rules that stop a session early."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prompt_lab.record import CellKey

Paths = Sequence[Path]
UnderWay = Mapping[Path, Mapping[str, Any]]
"""The content of `surfaces.json` so far of runs that are not finished, by their directory."""


@dataclass(frozen=True, kw_only=True)
class LookResult:
    """The result of a look at one side: whether it needs no more cells, and facts to record."""

    settled: bool
    facts: Mapping[str, Any]


class StoppingRule(Protocol):
    """Decides in which order cells are run, and when a side needs no more of them."""

    def begin(self, sides: Sequence[Paths]) -> None:
        """Refuse sides that cannot be compared, before anything is spent."""
        ...

    def groups(self, cells: Collection[CellKey]) -> list[list[CellKey]]:
        """Return the cells in the order in which they are run, with a look after each group."""
        ...

    def look(
        self, number: int, sides: Sequence[Paths], under_way: UnderWay
    ) -> Mapping[int, LookResult]:
        """Return the result for each compared side after the first `number` groups."""
        ...
