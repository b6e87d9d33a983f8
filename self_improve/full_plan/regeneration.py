"""Regenerates whole plans from their inputs: every step of the pipeline, in its order."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.errors import BudgetReached
from model_gateway.gateway import Gateway
from model_gateway.preflight import check_models
from prompt_lab.record import Run, file_digest
from self_improve.errors import UsageError
from self_improve.full_plan.best_code import Code
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.full_plan.request import PlanRequest
from self_improve.host.contract import Host
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.runs.experiment import experiment
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.relay import Relay, RelayResult

BEFORE, AFTER = "baseline", "best"


@dataclass(frozen=True, kw_only=True)
class Regenerated:
    """The regenerated plans of one side; each step is a run over all of them.

    `inputs` are the digests of the input files of each plan, by name.
    """

    code: Code
    host: Host
    pipeline: Pipeline
    steps: tuple[StepFacts, ...]
    inputs: Mapping[str, Mapping[str, str]]
    relayed: RelayResult
    code_facts: Mapping[str, Any]

    @property
    def runs(self) -> dict[str, Run]:
        """The run of each step that could be run."""
        return {one.step: one.run for one in self.relayed.steps if one.run is not None}

    def failures(self, plan: str) -> dict[str, str]:
        """Return the steps that failed for a plan, with the reason."""
        return {one.step: f[plan] for one in self.relayed.steps if plan in (f := one.failures)}

    def artifacts(self, plan: str) -> dict[str, str]:
        """Return what the steps wrote for a plan, with the digest of each file."""
        artifacts: dict[str, str] = {}
        for run in self.runs.values():
            row = run.rows().get((plan, 0), {})
            if row and row.get("error") is None:
                artifacts |= row.get("outputs", {})
        return artifacts

    def attempts(self, plan: str) -> list[Attempt]:
        """Return every request that was made for a plan."""
        return [a for run in self.runs.values() for a in run.attempts() if a.cell == plan]


async def regenerate(
    sides: Mapping[str, Code],
    request: PlanRequest,
    folder: ComparisonFolder,
    gateway: Gateway,
    display: Display,
) -> dict[str, Regenerated]:
    """Regenerate the plans of all sides at the same time; finished cells are not run again.

    Raises:
        BudgetReached: a cap was reached.
        CellsOpen: steps failed for reasons outside of the prompts; the same call tries them again.
        UsageError: a plan lacks an input, or a model cannot be asked.
        OSError: the data repo cannot be written.
    """
    requests = {n: request.run_request(code.path, folder.runs(n)) for n, code in sides.items()}
    async with experiment(requests) as cells:
        await check_models(gateway, [(model,) for model in request.models], folder.pings)
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(
                    _regenerate_side(
                        name, code, cells.works[name], requests[name], request.plans, folder,
                        gateway, display,
                    )
                )
                for name, code in sides.items()
            }  # fmt: skip
        regenerated = {name: task.result() for name, task in tasks.items()}
    for side in regenerated.values():
        if side.relayed.stopped is not None:
            raise BudgetReached(side.relayed.stopped)
    for side in regenerated.values():
        side.relayed.open_cells.refuse()
    return regenerated


async def _regenerate_side(
    name: str,
    code: Code,
    work: Prepared,
    request: RunRequest,
    plans: Mapping[str, Path],
    folder: ComparisonFolder,
    gateway: Gateway,
    display: Display,
) -> Regenerated:
    steps = computed(work.pipeline)
    bare = {
        plan: _bare(folder.scratch / name / "given" / plan, path, work)
        for plan, path in plans.items()
    }
    relay = Relay(
        gateway, work, request, output=request.output, folder=folder.plans(name), display=display
    )
    relayed = await relay.run(request.models[0], bare, steps)
    return Regenerated(
        code=code, host=work.host, pipeline=work.pipeline, steps=steps, relayed=relayed,
        inputs={
            plan: {
                path.relative_to(copy).as_posix(): file_digest(path)
                for path in sorted(copy.rglob("*")) if path.is_file()
            }
            for plan, copy in bare.items()
        },
        code_facts=work.specifications[0].code.to_row(),
    )  # fmt: skip


def computed(pipeline: Pipeline) -> tuple[StepFacts, ...]:
    """Return the steps that are run; those that read nothing are inputs (text, start time)."""
    return tuple(f for f in pipeline.steps.values() if not f.external and f.inputs)


def inputs_of(pipeline: Pipeline) -> list[str]:
    """Return the names of the artifacts that every plan starts from."""
    run = {step.name for step in computed(pipeline)}
    return [n for facts in pipeline.steps.values() if facts.name not in run for n in facts.outputs]


def _bare(target: Path, source: Path, work: Prepared) -> Path:
    """Return a copy of a plan that holds only its inputs.

    Raises:
        UsageError: one of them is missing.
    """
    names = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
    shutil.rmtree(target, ignore_errors=True)
    for artifact in inputs_of(work.pipeline):
        name = work.host.name_among(artifact, names)
        if name is None:
            raise UsageError(f"{source.name} cannot be regenerated: it has no {artifact}.")
        copy = target / artifact
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, copy)
    return target


def digests_of(pipeline: Pipeline, steps: Sequence[StepFacts]) -> dict[str, str]:
    """Return the digest of every prompt surface that the steps could send."""
    names = sorted({surface for step in steps for surface in step.surfaces})
    return {name: pipeline.surfaces[name].digest for name in names}
