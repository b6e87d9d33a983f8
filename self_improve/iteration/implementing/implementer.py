"""Who writes code: told one direction, shown some files, and free to change a few of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

LARGEST_FILE = 400_000


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What an implementer is asked.

    `key` names it in journals. `told` is the direction and what the owner insists on, as material.
    `files` are the texts it may read, by names relative to the code tree; of these it may change
    `writable`, and nothing else.
    """

    key: str
    instructions: str
    files: Mapping[str, str]
    writable: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What came of an assignment: whole new texts by name, and what was done beyond it."""

    files: Mapping[str, str]
    breaches: tuple[str, ...]
    summary: str


class Implementer(Protocol):
    """One who writes code."""

    @property
    def name(self) -> str:
        """The name in records."""
        ...

    @property
    def model_id(self) -> str:
        """The exact id of the model behind it."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether what it writes is for trying things out only."""
        ...

    async def write(self, assignment: Assignment) -> Work:
        """Do an assignment; what was done before is returned as it was.

        Raises:
            AgentFailure: nothing usable came of it.
            BudgetReached: there is no room for it under a cap.
        """
        ...
