"""Tasks and their dependencies, scheduled so that each task starts as early as it can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from worker_plan.duration import DEFAULT_DAYS, Duration, text
from worker_plan.errors import PlanError
from worker_plan.markdown import line
from worker_plan.schedule import Schedule, ScheduledTask

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task to be scheduled.

    The tasks at the lowest level below a task with a duration follow one another and share it.
    A task at the lowest level without a duration, of its own or from above, takes `DEFAULT_DAYS`.
    """

    task_id: str
    name: str
    description: str = ""
    parent_id: str | None = None
    duration: Duration | None = None


@dataclass(frozen=True, kw_only=True)
class Link:
    """`task_id` cannot begin before `after_id` has ended."""

    task_id: str
    after_id: str


def arrange(tasks: Sequence[Task], links: Iterable[Link], start: date) -> Schedule:
    """Return the schedule in which every task starts as early as it can, from `start` on.

    Parents come before their children in `tasks`. A task with children spans them; a link to or
    from it applies to all of them. Links to unknown tasks are dropped, and in a circle of links
    those that point against the sequence of the plan; notes say which. Dates after the last one
    of the calendar become that one. The running time is linear in the tasks and links.

    Raises:
        PlanError: an id occurs twice, or a parent does not come before its child.
    """
    return _Plan(tasks, links).schedule(start)


@dataclass(kw_only=True)
class _Node:
    """A task in the tree: the indices of its relatives, and its computed times."""

    task: Task
    parent: int | None
    children: list[int] = field(default_factory=list)
    enters: int = 0
    leaves: int = 0
    days: int = 0
    start: int = 0
    end: int = 0
    critical: bool = False
    after: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Plan:
    """The tasks as a network of events: the beginning and the end of each.

    Node 2 i of the graph is the beginning of task i, node 2 i + 1 its end; an edge means that its
    target comes at least `days` after its source.
    """

    def __init__(self, tasks: Sequence[Task], links: Iterable[Link]) -> None:
        self._nodes: list[_Node] = []
        self._index: dict[str, int] = {}
        for index, task in enumerate(tasks):
            self._add(index, task)
        self._sequence = list(self._walk())
        self._lowest = [index for index in self._sequence if not self._nodes[index].children]
        self._links: dict[tuple[int, int], None] = {}
        self._hand_down()
        for link in links:
            self._link(link)

    def schedule(self, start: date) -> Schedule:
        self._time(self._graph())
        nodes = (self._nodes[index] for index in self._sequence)
        return Schedule(tasks=tuple(self._scheduled(node, start) for node in nodes))

    def _add(self, index: int, task: Task) -> None:
        if task.task_id in self._index:
            raise PlanError(f"The task {line(task.name)!r} has the id of an earlier one.")
        parent = None if task.parent_id is None else self._index.get(task.parent_id)
        if parent is not None:
            self._nodes[parent].children.append(index)
        elif task.parent_id is not None:
            raise PlanError(f"The task {line(task.name)!r} comes before its parent.")
        self._index[task.task_id] = index
        notes = list(task.duration.notes) if task.duration else []
        self._nodes.append(_Node(task=task, parent=parent, notes=notes))

    def _walk(self) -> Iterator[int]:
        """Yield the indices of the tasks, parents first; record when each is entered and left."""
        clock = 0
        stack = [(index, False) for index, n in enumerate(self._nodes) if n.parent is None][::-1]
        while stack:
            index, done = stack.pop()
            node = self._nodes[index]
            clock += 1
            if done:
                node.leaves = clock
                continue
            node.enters = clock
            yield index
            stack.append((index, True))
            stack += [(child, False) for child in reversed(node.children)]

    def _hand_down(self) -> None:
        """Set the days of every task at the lowest level, and link those that share a duration."""
        owner: dict[int, int] = {}
        sharing: dict[int, list[int]] = {}
        for index in self._sequence:
            node = self._nodes[index]
            if node.parent in owner:
                owner[index] = owner[node.parent]
            elif node.task.duration is not None:
                owner[index] = index
            if node.children:
                continue
            if index in owner:
                sharing.setdefault(owner[index], []).append(index)
            else:
                node.days = DEFAULT_DAYS
                node.notes.append(f"No estimate: {text(DEFAULT_DAYS)} taken, the default.")
        for index, parts in sharing.items():
            self._share(self._nodes[index], parts)

    def _share(self, node: _Node, parts: Sequence[int]) -> None:
        days = node.task.duration.days if node.task.duration else 0
        if days < len(parts):
            node.notes.append(f"{text(days)} made {len(parts)}: each part takes at least 1.")
            days = len(parts)
        for number, part in enumerate(parts):
            self._nodes[part].days = days * (number + 1) // len(parts) - days * number // len(parts)
        self._links |= dict.fromkeys(pairwise(parts))

    def _link(self, link: Link) -> None:
        index, after = self._index.get(link.task_id), self._index.get(link.after_id)
        if index is not None and after is not None:
            self._links[after, index] = None
            return
        if self._nodes:
            noted = index if index is not None else after if after is not None else 0
            unknown = link.after_id if index is not None else link.task_id
            self._nodes[noted].notes.append(
                f"A dependency is dropped: there is no task {line(unknown)!r}."
            )

    def _graph(self) -> nx.DiGraph[int]:
        # Imported here because only this step needs it, and it takes a sixth of a second.
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        for index, node in enumerate(self._nodes):
            if not node.children:
                graph.add_edge(2 * index, 2 * index + 1, days=node.days)
            for child in node.children:
                graph.add_edge(2 * index, 2 * child, days=0)
                graph.add_edge(2 * child + 1, 2 * index + 1, days=0)
        graph.add_edges_from(((2 * a + 1, 2 * b) for a, b in self._links), days=0)
        circle = {
            event: number
            for number, component in enumerate(nx.strongly_connected_components(graph))
            for event in component
        }
        for after, index in self._links:
            first, then = self._nodes[after], self._nodes[index]
            # The remaining links of a circle point forwards only, so they form none: a task is
            # left before the next one is entered, and the edges of the tree go the same way.
            if circle[2 * after + 1] == circle[2 * index] and first.leaves > then.enters:
                graph.remove_edge(2 * after + 1, 2 * index)
                then.notes.append(
                    f"The dependency on {line(first.task.name)!r} is dropped: it closes a circle."
                )
            else:
                then.after.append(after)
        return graph

    def _time(self, graph: nx.DiGraph[int]) -> None:
        """Find the earliest and the latest time of every event, and with them the critical tasks.

        Source: Kelley and Walker, Critical-Path Planning and Scheduling, 1959.
        """
        import networkx as nx  # As in `_graph`.

        events = list(nx.topological_sort(graph))
        earliest = dict.fromkeys(events, 0)
        for event in events:
            for later, edge in graph.adj[event].items():
                earliest[later] = max(earliest[later], earliest[event] + edge["days"])
        latest = dict.fromkeys(events, max(earliest.values(), default=0))
        for event in reversed(events):
            for later, edge in graph.adj[event].items():
                latest[event] = min(latest[event], latest[later] - edge["days"])
        for index in self._lowest:
            node = self._nodes[index]
            node.start, node.end = earliest[2 * index], earliest[2 * index] + node.days
            node.critical = latest[2 * index] == node.start
        for node in reversed(self._nodes):
            if node.children:
                inside = [self._nodes[child] for child in node.children]
                node.start = min(child.start for child in inside)
                node.end = max(child.end for child in inside)
                node.critical = any(child.critical for child in inside)

    def _scheduled(self, node: _Node, start: date) -> ScheduledTask:
        room = (date.max - start).days
        if node.end > room:
            node.notes.append("It goes on after the last day that a calendar has.")
        return ScheduledTask(
            task_id=node.task.task_id,
            name=node.task.name,
            description=node.task.description,
            parent_id=node.task.parent_id,
            start=start + timedelta(days=min(node.start, room)),
            end=start + timedelta(days=min(node.end, room)),
            depends_on=tuple(self._nodes[index].task.task_id for index in node.after),
            critical=node.critical,
            notes=tuple(node.notes),
        )
