"""The work breakdown of a plan: a tree of tasks, and the names that models and steps use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

from worker_plan.markdown import line

LEVEL_OF_ESTIMATES = 2


class WorkItem(BaseModel):
    """A task with the tasks that it consists of; empty fields are not written."""

    id: str
    description: str
    extra_fields: dict[str, Any] = Field(default_factory=dict)
    task_children: list[WorkItem] = Field(default_factory=list)

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        always = ("id", "description")
        return {key: value for key, value in serialize(self).items() if value or key in always}


class WorkBreakdown(BaseModel):
    """All work, under the one task that is the plan."""

    wbs_project: WorkItem

    def walk(self) -> Iterator[WorkNode]:
        """Yield every task with its position, parents before their children."""
        stack = [WorkNode(item=self.wbs_project)]
        while stack:
            node = stack.pop()
            yield node
            children = enumerate(node.item.task_children, start=1)
            stack += [
                WorkNode(item=child, parent=node.item, numbers=(*node.numbers, n))
                for n, child in children
            ][::-1]

    def units(self) -> list[WorkNode]:
        """Return the tasks that are estimated and scheduled as a whole.

        They are those of the second level, and higher ones that are not broken down.
        """
        return [node for node in self.walk() if node.is_unit]

    def outline(self) -> str:
        """Return all tasks as an indented Markdown list, each with its number."""
        return "\n".join(
            f"{'  ' * node.depth}- {f'{node.number} {line(node.item.description)}'.strip()}"
            for node in self.walk()
        )


@dataclass(frozen=True, kw_only=True)
class WorkNode:
    """A task in the tree. `numbers` are its positions from the top down, counted from 1."""

    item: WorkItem
    parent: WorkItem | None = None
    numbers: tuple[int, ...] = ()

    @property
    def depth(self) -> int:
        """How many tasks it is part of."""
        return len(self.numbers)

    @property
    def number(self) -> str:
        """The short name of the task for models, such as 2.3."""
        return ".".join(map(str, self.numbers))

    @property
    def is_unit(self) -> bool:
        """Whether it is estimated and scheduled as a whole."""
        if self.depth < LEVEL_OF_ESTIMATES:
            return not self.item.task_children
        return self.depth == LEVEL_OF_ESTIMATES


def task_id(*path: object) -> str:
    """Return the id of a task, which depends only on its path in the tree."""
    return str(uuid5(NAMESPACE_URL, "/".join(["task", *map(str, path)])))
