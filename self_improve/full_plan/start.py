"""Beginning or resuming a comparison, with its ledger; and its estimated cost, beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from model_gateway import availability
from model_gateway.config import Model
from model_gateway.counts import counted
from model_gateway.gateway import Gateway
from model_gateway.ledger import Ledger
from prompt_lab.layout import Layout
from rubrics import load
from self_improve.errors import UsageError
from self_improve.full_plan import pages
from self_improve.full_plan.baseline import STORED
from self_improve.full_plan.comparison import CodeSides, Say, compare, plans_of
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.full_plan.regeneration import AFTER, computed, inputs_of
from self_improve.full_plan.request import PlanRequest
from self_improve.host import contract, plans
from self_improve.host.plans import BaselinePlan
from self_improve.runs.estimate import PROBE_MODEL, PROBE_SECONDS, probe
from self_improve.runs.experiment import experiment
from self_improve.runs.preparation import Prepared
from self_improve.runs.progress import Display

_CHARS_A_TOKEN = 4
_JUDGE_TOKENS = 400
"""The tokens of a judge's reply: some marks, with a sentence each."""


@dataclass(frozen=True, kw_only=True)
class FinishedComparison:
    """A complete comparison; `plans` are its files `kpi_comparison.json`."""

    folder: ComparisonFolder
    result: Mapping[str, Any]
    plans: Mapping[str, Mapping[str, Any]]


async def run(
    request: PlanRequest,
    sides: CodeSides,
    *,
    new: bool,
    display: Display,
    say: Say,
    gateway: Gateway | None = None,
) -> FinishedComparison:
    """Begin a comparison, or resume the one that was begun, or return it if it is complete.

    Without a `gateway`, a new one is opened, whose ledger holds what earlier sessions spent.

    Raises:
        BudgetReached: a cap was reached; the same call with a higher one resumes.
        UsageError, LabError, OSError: as the message says.
    """
    problems = [f"{m.name}: {why}" for m in request.models if (why := m.missing()) is not None]
    if problems:
        raise UsageError(
            "Some models cannot be used; nothing was begun:\n  " + "\n  ".join(problems)
        )
    folder = ComparisonFolder.resume_or_begin(request.layout, identity_of(request, sides), new=new)
    with folder.lock():
        if folder.result() is not None and not new:
            say(f"{folder.id} is already complete; --new compares the same again.")
        for line in pages.code_facts(sides.after.to_row()):
            say(line)
        if gateway is not None:
            result = await compare(request, sides, folder, gateway, display)
        else:
            ledger = Ledger(request.run.caps, spent=folder.spent())
            async with Gateway(
                ledger=ledger,
                redact=request.run.catalogue.redactor(),
                availability=availability.of_user(),
            ) as opened:
                result = await compare(request, sides, folder, opened, display)
    return FinishedComparison(folder=folder, result=result, plans=plans_of(folder))


def identity_of(request: PlanRequest, sides: CodeSides) -> dict[str, Any]:
    """Return what identifies a comparison of these sides."""
    before = sides.before.id if sides.before is not None else STORED
    host_file = contract.locate(request.run.host_file, sides.after.path)
    return request.identity(sides.after.id, before, host_file)


@dataclass(frozen=True, kw_only=True)
class ComparisonEstimate:
    """The calls, tokens and US dollars of a comparison; None if a price is unknown."""

    plans: int
    sides: int
    steps: int
    calls: int
    judge_calls: int
    input_tokens: int
    output_tokens: int
    dollars: float | None

    def text(self) -> str:
        """Return the estimate as a line for people."""
        cost = "at an unknown price" if self.dollars is None else f"about ${self.dollars:.4f}"
        judge = f", {self.judge_calls} of them the judge's" if self.judge_calls else ""
        return (
            f"{counted(self.plans, 'plan')} × {counted(self.steps, 'step')} × "
            f"{counted(self.sides, 'side')}, about {counted(self.calls, 'call')}{judge}, "
            f"{self.input_tokens} tokens in and {self.output_tokens} out, {cost} "
            "(estimate from the simulated model, without retries)"
        )


async def estimate(request: PlanRequest, sides: CodeSides) -> ComparisonEstimate:
    """Return the probable cost of a comparison; nothing is sent.

    The simulated model runs every step on the artifacts of the stored plans, so the sizes of
    requests are right where those are complete.

    Raises:
        UsageError: something does not fit.
    """
    output = Layout(request.layout.scratch / "full_plans" / "estimate")
    async with experiment({AFTER: request.run_request(sides.after.path, output)}) as cells:
        return await _estimate(request, cells.works[AFTER])


async def _estimate(request: PlanRequest, work: Prepared) -> ComparisonEstimate:
    steps = computed(work.pipeline)
    like, asked = work.specifications[0], []
    for step in steps:
        inputs = {}
        for name, folder in request.plans.items():
            problems: list[str] = []
            plan = BaselinePlan(name=name, path=folder)
            plan_inputs = plans.inputs_of_plan(plan, step, work.host, problems)
            if not problems:
                inputs[name] = plan_inputs
        if inputs and step.calls_model:
            asked.append(replace(like, step=step, inputs=inputs, repeats=1))
    seen = await probe(
        work.server, request.run.catalogue.find(PROBE_MODEL), asked,
        over_http=work.host.uses_gateway_url, seconds=min(PROBE_SECONDS, request.run.seconds),
    )  # fmt: skip
    attempts = list(chain.from_iterable(seen.values()))
    sides = 2 if request.regenerate_baseline else 1
    tokens_in = sides * sum(a.input_tokens or 0 for a in attempts)
    tokens_out = sides * sum(a.output_tokens or 0 for a in attempts)
    costs = [_cost(request.model, tokens_in, tokens_out)]
    judge_calls = judge_in = 0
    plan_texts = inputs_of(work.pipeline)
    if request.judge is not None:
        for name, folder in request.plans.items():
            for step in steps:
                rubric = load.find(step.name)
                if rubric is None or not rubric.questions or (step.name, name) not in seen:
                    continue
                # The plan and the cleaned outputs of both sides, in both orders.
                judge_calls += 2
                shown = 2 * (rubric.clean.artifact if rubric.clean is not None else "",)
                judge_in += 2 * _chars(folder, (*plan_texts, *shown)) // _CHARS_A_TOKEN
        costs.append(_cost(request.judge, judge_in, judge_calls * _JUDGE_TOKENS))
    priced = [cost for cost in costs if cost is not None]
    return ComparisonEstimate(
        plans=len(request.plans), sides=sides, steps=len(steps),
        calls=sides * len(attempts) + judge_calls, judge_calls=judge_calls,
        input_tokens=tokens_in + judge_in, output_tokens=tokens_out + judge_calls * _JUDGE_TOKENS,
        dollars=sum(priced) if len(priced) == len(costs) else None,
    )  # fmt: skip


def _cost(model: Model, tokens_in: int, tokens_out: int) -> float | None:
    thinking = min(model.thinking_tokens, tokens_out)  # A guess: as much as the reply.
    return model.cost(tokens_in, tokens_out + thinking)


def _chars(folder: Path, names: Iterable[str]) -> int:
    return sum(p.stat().st_size for n in names if (p := folder / n).is_file())
