"""Runs several steps one after the other, each on what the ones before it wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx

from model_gateway.config import Model
from model_gateway.gateway import Gateway
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from self_improve.host import plans
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.plans import BaselinePlan, PlanInputs
from self_improve.runs import session
from self_improve.runs.open_cells import OpenCells
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.run_state import RunState, state_of
from self_improve.runs.session import RunsOfOneTree, Session
from self_improve.runs.specification import RunSpecification

_WITHOUT_DOTS = shutil.ignore_patterns(".*")


@dataclass(frozen=True, kw_only=True)
class RelayStep:
    """One step of a relay: its run, if there was one, and its failures by plan."""

    step: str
    run: Run | None
    failures: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RelayResult:
    """The plans as the steps left them, and each step's outcome; `stopped` is a reached cap.

    Plans with `open_cells` are not done: the same call tries those again.
    """

    plans: Mapping[str, Path]
    steps: tuple[RelayStep, ...]
    stopped: str | None
    open_cells: OpenCells

    def failures(self) -> list[str]:
        """Return every failure as a line."""
        return [
            f"{one.step}: {plan}: {error}"
            for one in self.steps
            for plan, error in one.failures.items()
        ]


def readers_of(pipeline: Pipeline, step: str) -> list[StepFacts]:
    """Return the steps that call a model and read what `step` writes, in pipeline order."""
    written = set(pipeline.steps[step].outputs)
    return [
        facts
        for facts in pipeline.steps.values()
        if facts.calls_model and written & set(facts.inputs)
    ]


def assembling_steps(pipeline: Pipeline, step: str) -> list[StepFacts]:
    """Return the steps below `step`, other than its readers, that only assemble text, in order."""
    graph = _graph(pipeline.steps.values())
    readers = {facts.name for facts in readers_of(pipeline, step)}
    assembling = [f for f in pipeline.steps.values() if not f.calls_model and not f.external]
    return [
        f for f in assembling if f.name in nx.descendants(graph, step) and f.name not in readers
    ]


class Relay:
    """Runs steps of one code tree on one model, for plans that it copies into `folder`.

    Each step is a run of its own in `output`. Steps that depend on each other wait; all plans and
    steps of the same depth run side by side. The same call again resumes.
    """

    def __init__(
        self,
        gateway: Gateway,
        work: Prepared,
        request: RunRequest,
        *,
        output: Layout,
        folder: Path,
        display: Display,
        repeats: int = 1,
    ) -> None:
        self._gateway = gateway
        self._work = work
        self._request = replace(request, output=output, new=False)
        self._folder = folder
        self._display = display
        self._repeats = repeats

    async def run(
        self, model: Model, sources: Mapping[str, Path], steps: Sequence[StepFacts]
    ) -> RelayResult:
        """Run `steps` on copies of the plans in `sources`, whose own files are the inputs.

        The steps' outputs are removed from the copies first, so that nothing old passes for new.
        A step whose inputs are missing because an earlier one failed also fails.

        Raises:
            OSError: the data repo cannot be written.
        """
        written = {name for step in steps for name in step.outputs}
        copies = {name: self._copy(name, source, written) for name, source in sources.items()}
        outcomes: list[RelayStep] = []
        stopped, left = None, OpenCells(kinds={}, closed={})
        for level in nx.topological_generations(_graph(steps)):
            chosen = [step for step in steps if step.name in level]
            if not chosen:
                continue  # Other steps are on the paths between those that are run.
            more, stopped, still_open = await self._level(model, copies, chosen)
            outcomes += more
            left |= still_open
            if stopped is not None:
                break
        return RelayResult(plans=copies, steps=tuple(outcomes), stopped=stopped, open_cells=left)

    async def _level(
        self, model: Model, copies: Mapping[str, Path], steps: Sequence[StepFacts]
    ) -> tuple[list[RelayStep], str | None, OpenCells]:
        sides, absent = [], {}
        for step in steps:
            inputs, absent[step.name] = self._inputs(copies, step)
            specification = self._specification(model, step, inputs)
            state = self._state(specification)
            sides.append(
                RunsOfOneTree(
                    request=self._request, work=self._work, states=[state] if inputs else [],
                    must_ask=step.calls_model,
                )
            )  # fmt: skip
        specifications = [s.specification for side in sides for s in side.states]
        with session.claimed(self._request, specifications):
            # Another process may have worked on the same runs until now.
            sides = [
                replace(side, states=[self._again(state) for state in side.states])
                for side in sides
            ]
            summary = await Session(self._gateway, self._display).run(sides)
        outcomes = []
        for step, side in zip(steps, sides, strict=True):
            run = self._again(side.states[0]).run if side.states else None
            outcomes.append(self._outcome(step, run, absent[step.name], copies))
        return outcomes, summary.stopped, summary.open_cells

    def _again(self, state: RunState) -> RunState:
        return self._state(state.specification)

    def _state(self, specification: RunSpecification) -> RunState:
        request = self._request
        accepts = request.accept_failures
        return state_of(specification, request.output, new=False, accepts=accepts)

    def _outcome(
        self,
        step: StepFacts,
        run: Run | None,
        absent: Mapping[str, str],
        copies: Mapping[str, Path],
    ) -> RelayStep:
        failures = dict(absent)
        for (plan, repeat), row in (run.rows() if run is not None else {}).items():
            if row.get("error") is not None:
                failures[plan] = str(row["error"]).splitlines()[0]
                continue
            folder = run.outputs(plan, repeat) if run is not None else Path()
            for name in row.get("outputs", {}):
                target = copies[plan] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
        return RelayStep(step=step.name, run=run, failures=failures)

    def _inputs(
        self, copies: Mapping[str, Path], step: StepFacts
    ) -> tuple[dict[str, PlanInputs], dict[str, str]]:
        inputs, absent = {}, {}
        for name, path in copies.items():
            problems: list[str] = []
            plan = BaselinePlan(name=name, path=path)
            files = plans.inputs_of_plan(plan, step, self._work.host, problems)
            if problems:
                absent[name] = "; ".join(problems)
            else:
                inputs[name] = files
        return inputs, absent

    def _specification(
        self, model: Model, step: StepFacts, inputs: Mapping[str, PlanInputs]
    ) -> RunSpecification:
        first = self._work.specifications[0]
        models = (model, *first.models[1:])
        return replace(first, step=step, models=models, inputs=inputs, repeats=self._repeats)

    def _copy(self, name: str, source: Path, written: Iterable[str]) -> Path:
        """Copy a plan's files without those that the steps will write."""
        target = self._folder / name
        host = self._work.host
        common = {host.common_name(one) for one in written}
        if not target.is_dir():
            partial = self._folder / f".{name}.part"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(source, partial, ignore=_WITHOUT_DOTS)
            for path in [p for p in partial.rglob("*") if p.is_file()]:
                if host.common_name(path.relative_to(partial).as_posix()) in common:
                    path.unlink()
            partial.rename(target)
        return target


def _graph(steps: Iterable[StepFacts]) -> nx.DiGraph[str]:
    """Return the dependencies among `steps`, paths through other steps included."""
    chosen = list(steps)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(step.name for step in chosen)
    graph.add_edges_from((up, step.name) for step in chosen for up in step.upstream)
    return graph
