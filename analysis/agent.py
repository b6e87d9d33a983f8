"""An agent gets a brief and the files it may read, and answers in a fixed shape."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from analysis.materials import Materials
from analysis.replies import Reply

P = TypeVar("P", bound=Reply)


@dataclass(frozen=True, kw_only=True)
class Brief:
    """The task of an agent: the phase, its instructions, and the files to begin with."""

    phase: str
    instructions: str
    materials: Materials
    first: Sequence[str]

    @property
    def digest(self) -> str:
        """The SHA-256 of the instructions."""
        return hashlib.sha256(self.instructions.encode()).hexdigest()


class AgentFailure(Exception):  # noqa: N818 - an outcome, which is recorded
    """The agent gave no usable answer; the message says why, without keys."""


class Respondent(Protocol):
    """A model or program that is asked."""

    @property
    def name(self) -> str:
        """The name in files: letters, digits, dots and dashes."""
        ...

    @property
    def model_id(self) -> str:
        """The exact id of the model behind it."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether its answers are simulated and so never evidence."""
        ...


class Agent(Respondent, Protocol):
    """One independent reader."""

    async def answer(self, brief: Brief, shape: type[P]) -> P:
        """Look, and answer in `shape`.

        Raises:
            AgentFailure: it gave no usable answer.
        """
        ...
