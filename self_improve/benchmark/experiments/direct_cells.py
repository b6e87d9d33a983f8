"""Runs a step's cells in this process: its own `work`, without Luigi, forks and files.

A search of the benchmark runs hundreds of cells, and a process for each would take most of its
time. The messages are composed by the step, sent through a gateway, read and measured by the same
code as those of a run. A test proves the outcomes equal to the runner's.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from model_gateway import door
from model_gateway.attempt import Attempt
from model_gateway.call import Call, R, Reply
from model_gateway.config import Model
from model_gateway.exchange import Caller, NoObserver
from model_gateway.gateway import Gateway
from model_gateway.jsonl import Row
from prompt_lab.baselines import Baselines
from rubrics.rubric import Rubric
from self_improve.host import overrides, surfaces, task_graph
from self_improve.host.contract import Host
from self_improve.measures.measurer import Measurer
from self_improve.records.attempt_index import AttemptIndex
from self_improve.records.cell_reading import CellReading
from self_improve.search.host_cells import outcome_of
from self_improve.search.search import Cell
from self_improve.search.trial import Case, CellOutcome, Texts

_NOWHERE = Path()


class MemoryJournal:
    """A journal of one cell in memory. Nothing is replayed from it."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def begin(self, cell: str, repeat: int) -> None:
        """Do nothing."""

    def take(self, digest: str) -> Attempt | None:  # noqa: ARG002
        """Return None: there is nothing to replay."""
        return None

    async def append(self, attempt: Attempt) -> None:
        """Keep `attempt`."""
        self.attempts.append(attempt)


@dataclass(frozen=True)
class _MemoryAttempts(AttemptIndex):
    """The attempts of one cell, in memory instead of a file."""

    rows: Sequence[Row] = ()

    def _rows(self, plan: str, repeat: int) -> Iterator[Row]:  # noqa: ARG002
        yield from self.rows


@dataclass(frozen=True, kw_only=True)
class _Reading(CellReading):
    """A cell with its artifacts in memory."""

    artifacts: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Empty: no store keeps these measures."""
        return ""

    def forget(self) -> None:
        """Do nothing: the artifacts exist nowhere else."""

    def _named(self, artifact: str) -> list[str]:
        return [artifact] if artifact in self.artifacts else []

    @cached_property
    def _files(self) -> dict[str, bytes | None]:
        return dict(self.artifacts)


class DirectStep:
    """One step of the embedded pipeline, with prompts that can be replaced in this process.

    `plans` are directories of baseline plans by name, with the artifacts under numbered names.

    Raises:
        UsageError: the pipeline cannot be loaded.
        KeyError: it has no such step.
    """

    def __init__(self, host: Host, step: str, plans: Mapping[str, Path]) -> None:
        roots = task_graph.roots(host, run_dir=str(_NOWHERE), model="", speed=host.speeds[0])
        recipe = task_graph.recipe(host, task_graph.walk(roots)[step].route, host.speeds[0])
        if recipe is None:
            raise KeyError(f"the task of {step} cannot be created for any plan")
        self._host = host
        self._recipe = recipe
        self._module = sys.modules[recipe.kind.__module__]
        self.plans = plans
        of_step = [s for s in surfaces.find(host).values() if s.module == recipe.kind.__module__]
        self.texts: Texts = {one.id: one.text for one in of_step}
        """The texts of the step's surfaces in the code."""
        self._constants = [one.id for one in of_step if one.kind == surfaces.CONSTANT]
        self._now = dict(self.texts)

    def use(self, texts: Texts) -> None:
        """Replace the step's texts, until they are replaced again."""
        changed = {surface: text for surface, text in texts.items() if text != self._now[surface]}
        if not changed:
            return
        self._now |= changed
        # The search for other holders of a constant takes longer than a cell; a step has none.
        for surface in self._constants:
            if surface in changed:
                setattr(self._module, surface.partition(":")[2], changed.pop(surface))
        if changed:
            overrides.apply(changed, self._host)
            door.schema_of.cache_clear()

    def sent(self, attempts: Sequence[Attempt]) -> tuple[str, ...]:
        """Return the constants that are in a cell's messages, the longest first."""
        messages = {m["content"] for one in attempts for m in one.messages}
        texts = {self._now[surface] for surface in self._constants}
        sent = (text for text in texts if any(text in message for message in messages))
        return tuple(sorted(sent, key=lambda text: (-len(text), text)))

    def run(self, plan: str, model: Model, ask: Any) -> dict[str, bytes]:
        """Return the step's outputs by artifact.

        Raises:
            Exception: whatever the step raises; it is the cell's failure.
        """
        task: Any = self._recipe.task(self._host, run_dir=str(self.plans[plan]), model=model.name)
        return {artifact.name: _bytes(value) for artifact, value in task.work(ask)}


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        value = json.dumps(to_jsonable_python(value), ensure_ascii=False)
    return bytes(value.encode("utf-8", "replace"))


def weighted(rubric: Rubric) -> Rubric:
    """Return the part of a rubric that a cell's fitness depends on."""
    uses = [use for use in rubric.metrics if use.weight]
    return rubric.model_copy(update={"metrics": tuple(uses), "constraints": ()})


class DirectCells:
    """Runs and measures the cells of a search in this process, one after the other.

    Cells of one call with the same proposal, model and repeat are measured together, like the
    cells of one run. `seed` is that of the runs.
    """

    def __init__(
        self,
        gateway: Gateway,
        step: DirectStep,
        rubric: Rubric,
        models: Sequence[Model],
        *,
        seed: int = 1,
    ) -> None:
        self._gateway = gateway
        self._step = step
        self._rubric = weighted(rubric)
        self._models = {model.name: model for model in models}
        self._seed = seed
        self._baselines = Baselines(tuple(sorted({path.parent for path in step.plans.values()})))
        self._measurer = Measurer(self._rubric)
        self._lock = asyncio.Lock()
        self.run = 0
        """The number of cells run so far."""

    async def __call__(self, cells: Sequence[Cell]) -> list[CellOutcome]:
        """Run and measure cells; the outcomes come in their order."""
        groups: dict[tuple[str, str, int], tuple[Texts, list[Case]]] = {}
        for proposal, case in cells:
            key = (proposal.id, case.model, case.repeat)
            groups.setdefault(key, (proposal.texts, []))[1].append(case)
        outcomes: dict[tuple[str, str], CellOutcome] = {}
        loop = asyncio.get_running_loop()
        async with self._lock:
            for (name, _, _), (texts, cases) in groups.items():
                for one in await asyncio.to_thread(self._group, texts, cases, loop):
                    outcomes[name, one.case.id] = one
        return [outcomes[proposal.id, case.id] for proposal, case in cells]

    def _group(
        self, texts: Texts, cases: Sequence[Case], loop: asyncio.AbstractEventLoop
    ) -> list[CellOutcome]:
        self._step.use(texts)
        # The runner takes the plans of a run in the order of their names.
        order = sorted(cases, key=lambda case: case.plan)
        readings = [self._cell(case, loop) for case in order]
        measured = self._measurer.cells(readings, self._baselines)
        return [
            outcome_of(case, cell, reading, self._rubric, error=reading.row["error"])
            for case, cell, reading in zip(order, measured, readings, strict=True)
        ]

    def _cell(self, case: Case, loop: asyncio.AbstractEventLoop) -> _Reading:
        self.run += 1
        model = self._models[case.model]
        journal = MemoryJournal()
        caller = Caller(
            cell=case.plan, plan=case.plan, repeat=0, seed=self._seed_of(case), models=(model,),
            journal=journal, observer=NoObserver(),
        )  # fmt: skip

        def ask(call: Call[R]) -> Reply[R]:
            return asyncio.run_coroutine_threadsafe(self._gateway.ask(call, caller), loop).result()

        artifacts: dict[str, bytes] = {}
        error: str | None = None
        try:
            artifacts = self._step.run(case.plan, model, ask)
        except Exception as raised:  # noqa: BLE001 - whatever ends a cell is its result
            error = f"{type(raised).__name__}: {raised}"
        calls = {attempt.key for attempt in journal.attempts}
        row = {
            "status": "ok" if error is None else "error", "error": error,
            "calls": len(calls), "attempts": len(journal.attempts), "duration_seconds": 0.0,
        }  # fmt: skip
        attempts = _MemoryAttempts(_NOWHERE, [attempt.to_row() for attempt in journal.attempts])
        return _Reading(
            plan=case.plan, model=model.name, repeat=0, row=row, folder=_NOWHERE,
            rubric=self._rubric, attempts=attempts, prompts=self._step.sent(journal.attempts),
            artifacts=artifacts,
        )  # fmt: skip

    def _seed_of(self, case: Case) -> int:
        """Return the cell's seed in a run of the runner; see RunSpecification."""
        text = f"{self._seed + case.repeat}/{case.plan}/{case.model}/0"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
