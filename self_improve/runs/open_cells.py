"""Cells that stay open: the world kept them from ending, so the same command tries them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_gateway.blame import is_tried_again
from model_gateway.counts import counted
from model_gateway.errors import CellsOpen
from model_gateway.invocation import as_typed

NOT_RUN = "not run"


def is_open(row: Mapping[str, Any]) -> bool:
    """Whether the last row of a cell leaves it open."""
    error, kind = row.get("error"), row.get("failure_kind")
    return error is not None and is_tried_again(kind, str(error))


@dataclass(frozen=True, kw_only=True)
class OpenCells:
    """The open cells of a command: by model, how many there are of each kind of failure.

    `closed` says of the models that get no further call why that is.
    """

    kinds: Mapping[str, Counter[str]]
    closed: Mapping[str, str]

    def __bool__(self) -> bool:
        return any(kinds.total() for kinds in self.kinds.values())

    def __or__(self, other: OpenCells) -> OpenCells:
        names = {**self.kinds, **other.kinds}
        return OpenCells(
            kinds={n: self.kinds.get(n, Counter()) + other.kinds.get(n, Counter()) for n in names},
            closed={**self.closed, **other.closed},
        )

    @property
    def count(self) -> int:
        """How many cells are open."""
        return sum(kinds.total() for kinds in self.kinds.values())

    def text(self) -> str:
        """Return what is open, why, and what to type."""
        lines = []
        for name, kinds in sorted(self.kinds.items()):
            counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            why = f": {self.closed[name]}" if name in self.closed else ""
            lines += (
                [f"  {name}: {counted(kinds.total(), 'cell')} ({counts}){why}"] if counts else []
            )
        return (
            f"{counted(self.count, 'cell')} stayed open, for reasons outside of the prompt:\n"
            + "\n".join(lines)
            + f"\nTry them again: {as_typed()}\nAdd --accept-failures to finish without them."
        )

    def refuse(self) -> None:
        """Refuse to go on without the open cells.

        Raises:
            CellsOpen: there are some.
        """
        if self:
            raise CellsOpen(self.text())
