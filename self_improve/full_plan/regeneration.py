"""Making whole plans anew from what was given: every step of the pipeline, in its order."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.errors import BudgetReached
from model_gateway.gateway import Gateway
from prompt_lab.record import Run, file_digest
from self_improve.errors import UsageError
from self_improve.full_plan.best_code import Code
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.full_plan.request import PlanRequest
from self_improve.host.contract import Host
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.runs.experiment import Experiment, experiment
from self_improve.runs.preflight import check_models
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.relay import Relay, RelayResult

BEFORE, AFTER = "baseline", "best"


@dataclass(frozen=True, kw_only=True)
class Regenerated:
    """The plans of one side, each step of it a run over all of them."""

    code: Code
    host: Host
    pipeline: Pipeline
    steps: tuple[StepFacts, ...]
    given: Mapping[str, Mapping[str, str]]
    relayed: RelayResult
    code_facts: Mapping[str, Any]

    @property
    def runs(self) -> dict[str, Run]:
        """The run of each step that could be run."""
        return {leg.step: leg.run for leg in self.relayed.steps if leg.run is not None}

    def failures(self, plan: str) -> dict[str, str]:
        """Return the steps that failed for a plan, with the reason."""
        return {leg.step: f[plan] for leg in self.relayed.steps if plan in (f := leg.failures)}

    def artifacts(self, plan: str) -> dict[str, str]:
        """Return what the steps wrote for a plan, with the digest of each file."""
        found: dict[str, str] = {}
        for run in self.runs.values():
            row = run.rows().get((plan, 0), {})
            if row and row.get("error") is None:
                found |= row.get("outputs", {})
        return found

    def attempts(self, plan: str) -> list[Attempt]:
        """Return every request that was made for a plan."""
        return [a for run in self.runs.values() for a in run.attempts() if a.cell == plan]


def experiment_of(
    sides: Mapping[str, Code], request: PlanRequest, place: ComparisonFolder
) -> AbstractAsyncContextManager[Experiment]:
    """Return the code trees of the sides, ready to run cells."""
    return experiment({n: request.wanted(code.path, place.runs(n)) for n, code in sides.items()})


async def regenerate(
    sides: Mapping[str, Code],
    request: PlanRequest,
    place: ComparisonFolder,
    gateway: Gateway,
    display: Display,
) -> dict[str, Regenerated]:
    """Make the plans of every side, side by side; what was made before is not made again.

    Raises:
        BudgetReached: a cap was reached.
        UsageError: a plan lacks what it starts from, or a model cannot be asked.
        OSError: the data repo cannot be written.
    """
    async with experiment_of(sides, request, place) as trial:
        place.note_pings(await check_models(gateway, request.models))
        async with asyncio.TaskGroup() as group:
            making = {
                name: group.create_task(
                    _made(
                        name, code, trial.works[name], trial.requests[name], request, place,
                        gateway, display,
                    )
                )
                for name, code in sides.items()
            }  # fmt: skip
        made = {name: task.result() for name, task in making.items()}
    for one in made.values():
        if one.relayed.stopped is not None:
            raise BudgetReached(one.relayed.stopped)
    return made


async def _made(
    name: str,
    code: Code,
    work: Prepared,
    wanted: RunRequest,
    request: PlanRequest,
    place: ComparisonFolder,
    gateway: Gateway,
    display: Display,
) -> Regenerated:
    steps = computed(work.pipeline)
    bare = {
        plan: _bare(place.scratch / name / "given" / plan, folder, work)
        for plan, folder in request.plans.items()
    }
    relay = Relay(
        gateway, work, wanted, output=wanted.output, folder=place.plans(name), display=display
    )
    relayed = await relay.run(request.model, bare, steps)
    return Regenerated(
        code=code, host=work.host, pipeline=work.pipeline, steps=steps, relayed=relayed,
        given={
            plan: {
                path.relative_to(folder).as_posix(): file_digest(path)
                for path in sorted(folder.rglob("*")) if path.is_file()
            }
            for plan, folder in bare.items()
        },
        code_facts=work.specifications[0].code.to_row(),
    )  # fmt: skip


def computed(pipeline: Pipeline) -> tuple[StepFacts, ...]:
    """Return the steps that are run: steps that read nothing are given (text, start time)."""
    return tuple(f for f in pipeline.steps.values() if not f.external and f.inputs)


def _given(pipeline: Pipeline) -> Iterator[str]:
    run = {step.name for step in computed(pipeline)}
    yield from (n for f in pipeline.steps.values() if f.name not in run for n in f.outputs)


def _bare(target: Path, source: Path, work: Prepared) -> Path:
    """Return a copy of a plan that holds nothing but what every plan starts from.

    Raises:
        UsageError: something of that is missing.
    """
    names = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
    shutil.rmtree(target, ignore_errors=True)
    for wanted in _given(work.pipeline):
        found = work.host.name_among(wanted, names)
        if found is None:
            raise UsageError(f"{source.name} cannot be made anew: it has no {wanted}.")
        copy = target / wanted
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / found, copy)
    return target


def digests_of(pipeline: Pipeline, steps: Sequence[StepFacts]) -> dict[str, str]:
    """Return the digest of every prompt surface that the steps are found to send."""
    names = sorted({surface for step in steps for surface in step.surfaces})
    return {name: pipeline.surfaces[name].digest for name in names}
