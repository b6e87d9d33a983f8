"""The interface of those who write code for a direction: the assignment and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from analysis.agent import Respondent

LARGEST_FILE = 400_000


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What an implementer is asked to do.

    `key` names it in journals. `instructions` are the direction and the constraints, as material.
    `files` are the texts that it may read, by names relative to the code tree; of these it may
    change `writable`, and nothing else.
    """

    key: str
    instructions: str
    files: Mapping[str, str]
    writable: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Work:
    """The result of an assignment: whole new texts by name, and what went beyond the assignment."""

    files: Mapping[str, str]
    breaches: tuple[str, ...]
    summary: str


class Implementer(Respondent, Protocol):
    """A model or program that writes code."""

    async def write(self, assignment: Assignment) -> Work:
        """Carry out an assignment; the same one again returns the recorded work.

        Raises:
            AgentFailure: the result cannot be used.
            BudgetReached: there is no room for it under a cap.
        """
        ...
