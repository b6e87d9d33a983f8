"""Tasks and what each must wait for, arranged so that every one starts as early as it can."""

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

    One with a duration of its own hands it down: the tasks at the lowest level below it follow
    one another and share it. A task at the lowest level with no duration of its own or from
    above takes `DEFAULT_DAYS`.
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

    Parents stand before their children in `tasks`. A task with children spans them; a link to or
    from it counts for all of them. Links to tasks that are not there are dropped, and of links
    in a circle those that point against the order of the plan; notes say which. Dates that no
    calendar has become the last one. The time taken grows with the number of tasks and links.

    Raises:
        PlanError: an id occurs twice, or a parent is not there before its child.
    """
    return _Plan(tasks, links).schedule(start)


@dataclass(kw_only=True)
class _Node:
    """A task in the tree: its place, the places around it, and what is found out about it."""

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
    """The tasks as a network of events: each begins, and each ends.

    Node 2 i of the graph is the beginning of task i, node 2 i + 1 its end; an edge says that what
    it leads to comes at least `days` later.
    """

    def __init__(self, tasks: Sequence[Task], links: Iterable[Link]) -> None:
        self._nodes: list[_Node] = []
        self._place: dict[str, int] = {}
        for place, task in enumerate(tasks):
            self._add(place, task)
        self._order = list(self._walk())
        self._lowest = [place for place in self._order if not self._nodes[place].children]
        self._links: dict[tuple[int, int], None] = {}
        self._hand_down()
        for link in links:
            self._link(link)

    def schedule(self, start: date) -> Schedule:
        self._time(self._graph())
        nodes = (self._nodes[place] for place in self._order)
        return Schedule(tasks=tuple(self._scheduled(node, start) for node in nodes))

    def _add(self, place: int, task: Task) -> None:
        if task.task_id in self._place:
            raise PlanError(f"The task {line(task.name)!r} has the id of an earlier one.")
        parent = None if task.parent_id is None else self._place.get(task.parent_id)
        if parent is not None:
            self._nodes[parent].children.append(place)
        elif task.parent_id is not None:
            raise PlanError(f"The task {line(task.name)!r} stands before the one it is part of.")
        self._place[task.task_id] = place
        notes = list(task.duration.notes) if task.duration else []
        self._nodes.append(_Node(task=task, parent=parent, notes=notes))

    def _walk(self) -> Iterator[int]:
        """Yield the places of the tasks, parents first; note when each is entered and left."""
        clock = 0
        stack = [(place, False) for place, n in enumerate(self._nodes) if n.parent is None][::-1]
        while stack:
            place, done = stack.pop()
            node = self._nodes[place]
            clock += 1
            if done:
                node.leaves = clock
                continue
            node.enters = clock
            yield place
            stack.append((place, True))
            stack += [(child, False) for child in reversed(node.children)]

    def _hand_down(self) -> None:
        """Give every task at the lowest level its days, and let those that share follow."""
        owner: dict[int, int] = {}
        sharing: dict[int, list[int]] = {}
        for place in self._order:
            node = self._nodes[place]
            if node.parent in owner:
                owner[place] = owner[node.parent]
            elif node.task.duration is not None:
                owner[place] = place
            if node.children:
                continue
            if place in owner:
                sharing.setdefault(owner[place], []).append(place)
            else:
                node.days = DEFAULT_DAYS
                node.notes.append(f"No estimate: {text(DEFAULT_DAYS)} taken, the default.")
        for place, parts in sharing.items():
            self._share(self._nodes[place], parts)

    def _share(self, node: _Node, parts: Sequence[int]) -> None:
        days = node.task.duration.days if node.task.duration else 0
        if days < len(parts):
            node.notes.append(f"{text(days)} made {len(parts)}: each part takes at least 1.")
            days = len(parts)
        for number, part in enumerate(parts):
            self._nodes[part].days = days * (number + 1) // len(parts) - days * number // len(parts)
        self._links |= dict.fromkeys(pairwise(parts))

    def _link(self, link: Link) -> None:
        place, after = self._place.get(link.task_id), self._place.get(link.after_id)
        if place is not None and after is not None:
            self._links[after, place] = None
            return
        if self._nodes:
            known = place if place is not None else after if after is not None else 0
            unknown = link.after_id if place is not None else link.task_id
            self._nodes[known].notes.append(
                f"A dependency is dropped: there is no task {line(unknown)!r}."
            )

    def _graph(self) -> nx.DiGraph[int]:
        # It takes a sixth of a second, which only this step should spend.
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        for place, node in enumerate(self._nodes):
            if not node.children:
                graph.add_edge(2 * place, 2 * place + 1, days=node.days)
            for child in node.children:
                graph.add_edge(2 * place, 2 * child, days=0)
                graph.add_edge(2 * child + 1, 2 * place + 1, days=0)
        graph.add_edges_from(((2 * a + 1, 2 * b) for a, b in self._links), days=0)
        circle = {
            event: number
            for number, events in enumerate(nx.strongly_connected_components(graph))
            for event in events
        }
        for after, place in self._links:
            first, then = self._nodes[after], self._nodes[place]
            # What remains of a circle points forwards only, and so is none: a task is left
            # before the next one is entered, and the edges of the tree go the same way.
            if circle[2 * after + 1] == circle[2 * place] and first.leaves > then.enters:
                graph.remove_edge(2 * after + 1, 2 * place)
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
        import networkx as nx  # As above.

        order = list(nx.topological_sort(graph))
        earliest = dict.fromkeys(order, 0)
        for event in order:
            for later, edge in graph.adj[event].items():
                earliest[later] = max(earliest[later], earliest[event] + edge["days"])
        latest = dict.fromkeys(order, max(earliest.values(), default=0))
        for event in reversed(order):
            for later, edge in graph.adj[event].items():
                latest[event] = min(latest[event], latest[later] - edge["days"])
        for place in self._lowest:
            node = self._nodes[place]
            node.start, node.end = earliest[2 * place], earliest[2 * place] + node.days
            node.critical = latest[2 * place] == node.start
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
            depends_on=tuple(self._nodes[place].task.task_id for place in node.after),
            critical=node.critical,
            notes=tuple(node.notes),
        )
