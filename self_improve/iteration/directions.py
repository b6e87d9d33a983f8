"""What the latest synthesis of a step says should be tried next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis import prepare_iteration
from analysis.replies import Direction, DirectionKind
from prompt_lab.layout import Layout
from self_improve.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A direction and its number in the synthesis, from 1."""

    number: int
    direction: Direction

    @property
    def needs_code(self) -> bool:
        """Whether no text can express it."""
        return self.direction.kind is DirectionKind.code


def latest(layout: Layout, step: str) -> tuple[Path, list[Numbered]]:
    """Return the page of the step's latest synthesis, and its directions.

    Raises:
        UsageError: there is none.
    """
    page = prepare_iteration.latest_synthesis(layout, step)
    if page is None:
        raise UsageError(f"{step} has no synthesis yet. Run an iteration with --analyse always.")
    answer = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["answer"] or {}
    rows = enumerate(answer.get("directions", []), start=1)
    return page, [Numbered(number=n, direction=Direction.model_validate(row)) for n, row in rows]
