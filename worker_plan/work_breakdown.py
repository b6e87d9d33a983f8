"""The work of a plan taken apart: a tree of tasks, and how models and steps name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

from worker_plan.markdown import line

LEVEL_OF_ESTIMATES = 2


class WorkItem(BaseModel):
    """A task with the tasks that it consists of; what is empty is not written."""

    id: str
    description: str
    extra_fields: dict[str, Any] = Field(default_factory=dict)
    task_children: list[WorkItem] = Field(default_factory=list)

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        always = ("id", "description")
        return {key: value for key, value in serialize(self).items() if value or key in always}


class WorkBreakdown(BaseModel):
    """All of the work, under the one task that is the plan."""

    wbs_project: WorkItem

    def walk(self) -> Iterator[Placed]:
        """Yield every task with its place, parents before their children."""
        stack = [Placed(item=self.wbs_project)]
        while stack:
            placed = stack.pop()
            yield placed
            children = enumerate(placed.item.task_children, start=1)
            stack += [
                Placed(item=child, parent=placed.item, numbers=(*placed.numbers, n))
                for n, child in children
            ][::-1]

    def units(self) -> list[Placed]:
        """Return the tasks that are estimated and scheduled as a whole: those of the second level.

        A task above it that is not taken apart is one, too.
        """
        return [one for one in self.walk() if one.is_unit]

    def outline(self) -> str:
        """Return all tasks as an indented list in Markdown, each with its number."""
        return "\n".join(
            f"{'  ' * one.depth}- {f'{one.number} {line(one.item.description)}'.strip()}"
            for one in self.walk()
        )


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A task at its place in the tree. `numbers` are the places from the top, counted from 1."""

    item: WorkItem
    parent: WorkItem | None = None
    numbers: tuple[int, ...] = ()

    @property
    def depth(self) -> int:
        """How many tasks it is a part of."""
        return len(self.numbers)

    @property
    def number(self) -> str:
        """The short name that models are given for the task, such as 2.3."""
        return ".".join(map(str, self.numbers))

    @property
    def is_unit(self) -> bool:
        """Whether it is estimated and scheduled as a whole."""
        if self.depth < LEVEL_OF_ESTIMATES:
            return not self.item.task_children
        return self.depth == LEVEL_OF_ESTIMATES


def task_id(*place: object) -> str:
    """Return the id of a task: the same for the same names at the same places."""
    return str(uuid5(NAMESPACE_URL, "/".join(["task", *map(str, place)])))
