"""What the phases of an iteration would send, as far as the simulated model can show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from self_improve.host import plans
from self_improve.host.pipeline import StepFacts
from self_improve.host.plans import BaselinePlan, PlanInputs
from self_improve.iteration.request import IterationRequest
from self_improve.runs.estimate import PROBE_MODEL, AttemptsByPlan, probe
from self_improve.runs.preparation import Prepared
from self_improve.runs.relay import readers_of


async def probes(request: IterationRequest, work: Prepared) -> AttemptsByPlan:
    """Run on the simulated model, once, what an iteration may run of its steps."""
    layout, steps = request.layout, work.pipeline.steps
    verify = plans_in(layout.split("verify"))
    asked: dict[str, list[BaselinePlan]] = {request.step: [*plans_in(_train(request)), *verify]}
    if not request.skip_downstream:
        for facts in readers_of(work.pipeline, request.step):
            asked.setdefault(facts.name, []).extend(plans_in(_train(request)))
    if not request.skip_spot_check:
        for facts in asking_steps(steps.values()):
            asked.setdefault(facts.name, []).extend(verify[:1])
    like, specifications = work.specifications[0], []
    for name, chosen in asked.items():
        inputs: dict[str, PlanInputs] = {}
        for plan in chosen:
            problems: list[str] = []
            files = plans.inputs_of_plan(plan, steps[name], work.host, problems)
            if not problems:
                inputs[plan.name] = files
        if inputs:
            specifications.append(replace(like, step=steps[name], inputs=inputs, repeats=1))
    model = request.run.catalogue.find(PROBE_MODEL)
    return await probe(work.server, model, specifications, over_http=work.host.uses_gateway_url)


def _train(request: IterationRequest) -> Path:
    folder = request.run.baseline_dir
    return request.layout.split("train") if folder is None else folder / "train"


def plans_in(folder: Path) -> list[BaselinePlan]:
    """Return the plans of a split, none if it is not there."""
    if not folder.is_dir():
        return []
    names = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [BaselinePlan(name=path.name, path=path) for path in names]


def asking_steps(steps: Iterable[StepFacts]) -> list[StepFacts]:
    """Return the steps that call a model and read something."""
    return [facts for facts in steps if facts.calls_model and facts.inputs and not facts.external]
