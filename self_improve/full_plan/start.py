"""Finding the comparison that was begun or beginning one, under its ledger; and its estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.ledger import Ledger
from prompt_lab.layout import Layout
from rubrics import load
from self_improve.errors import UsageError
from self_improve.full_plan import folder as places
from self_improve.full_plan import pages
from self_improve.full_plan.baseline import STORED
from self_improve.full_plan.comparison import Say, Sides, compare, plans_of
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.full_plan.regeneration import AFTER, computed
from self_improve.full_plan.request import PlanRequest
from self_improve.host import contract, plans
from self_improve.host.plans import BaselinePlan
from self_improve.runs.estimate import PROBE_MODEL, PROBE_SECONDS, probe
from self_improve.runs.experiment import experiment
from self_improve.runs.preparation import Prepared
from self_improve.runs.progress import Display

_CHARS_A_TOKEN = 4

_JUDGE_TOKENS = 400
"""What an opinion takes: some marks, with a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The requests, tokens and US dollars of a comparison; None where a price is unknown."""

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
            f"{self.plans} plans × {self.steps} steps × {self.sides} sides, about {self.calls} "
            f"calls{judge}, {self.input_tokens} tokens in and {self.output_tokens} out, {cost} "
            "(estimate from the simulated model, without retries)"
        )


async def expected(request: PlanRequest, work: Prepared) -> Expected:
    """Return what the whole comparison will probably come to; nothing is sent.

    The simulated model runs every step on what the stored plans hold, so the sizes of the
    requests are right where those are complete.
    """
    steps = computed(work.pipeline)
    like, asked = work.specifications[0], []
    for step in steps:
        inputs = {}
        for name, folder in request.plans.items():
            problems: list[str] = []
            found = plans.inputs_of_plan(
                BaselinePlan(name=name, path=folder), step, work.host, problems
            )
            if not problems:
                inputs[name] = found
        if inputs and step.calls_model:
            asked.append(replace(like, step=step, inputs=inputs, repeats=1))
    seen = await probe(
        work.server, request.catalogue.find(PROBE_MODEL), asked,
        over_http=work.host.uses_gateway_url, seconds=min(PROBE_SECONDS, request.seconds),
    )  # fmt: skip
    attempts = [attempt for own in seen.values() for attempt in own]
    sides = 2 if request.regenerate_baseline else 1
    tokens_in = sides * sum(a.input_tokens or 0 for a in attempts)
    tokens_out = sides * sum(a.output_tokens or 0 for a in attempts)
    costs = [_cost(request.model, tokens_in, tokens_out)]
    judge_calls = judge_in = 0
    given = [n for f in work.pipeline.steps.values() if f not in steps for n in f.outputs]
    if request.judge is not None:
        for name, folder in request.plans.items():
            for step in steps:
                rubric = load.find(step.name)
                if rubric is None or not rubric.questions or (step.name, name) not in seen:
                    continue
                # The plan and the cleaned outputs of both sides, in both orders.
                judge_calls += 2
                shown = 2 * (rubric.clean.artifact if rubric.clean is not None else "",)
                judge_in += 2 * _chars(folder, (*given, *shown)) // _CHARS_A_TOKEN
        costs.append(_cost(request.judge, judge_in, judge_calls * _JUDGE_TOKENS))
    known = [cost for cost in costs if cost is not None]
    return Expected(
        plans=len(request.plans), sides=sides, steps=len(steps),
        calls=sides * len(attempts) + judge_calls, judge_calls=judge_calls,
        input_tokens=tokens_in + judge_in, output_tokens=tokens_out + judge_calls * _JUDGE_TOKENS,
        dollars=sum(known) if len(known) == len(costs) else None,
    )  # fmt: skip


def _cost(model: Model, tokens_in: int, tokens_out: int) -> float | None:
    thinking = min(model.thinking_tokens, tokens_out)  # A guess: as much again as is shown.
    return model.cost(tokens_in, tokens_out + thinking)


def _chars(folder: Path, names: Iterable[str]) -> int:
    return sum(p.stat().st_size for n in names if (p := folder / n).is_file())


@dataclass(frozen=True, kw_only=True)
class FinishedComparison:
    """A comparison that is whole; `plans` are its files `kpi_comparison.json`."""

    place: ComparisonFolder
    result: Mapping[str, Any]
    plans: Mapping[str, Mapping[str, Any]]


async def run(
    request: PlanRequest,
    sides: Sides,
    *,
    new: bool,
    display: Display,
    say: Say,
    gateway: Gateway | None = None,
) -> FinishedComparison:
    """Compare, or go on with the comparison that was begun, or return it if it is whole.

    Without a `gateway` a new one is opened, whose ledger holds what earlier sessions spent.

    Raises:
        BudgetReached: a cap was reached; the same call with a higher one goes on.
        UsageError, LabError, OSError: as the message says.
    """
    problems = [f"{m.name}: {why}" for m in request.models if (why := m.missing()) is not None]
    if problems:
        raise UsageError(
            "Not every model can be used, so nothing was begun:\n  " + "\n  ".join(problems)
        )
    place = places.placed(request.layout, order(request, sides), new=new)
    with places.held(place):
        if place.result() is not None and not new:
            say(f"{place.id} is whole already; --new compares the same once more.")
        for line in pages.code_facts(sides.after.to_row()):
            say(line)
        if gateway is not None:
            result = await compare(request, sides, place, gateway, display)
        else:
            keys = (*request.catalogue.key_variables, "GITHUB_TOKEN")
            ledger = Ledger(request.caps, spent=place.spent())
            async with Gateway(ledger=ledger, key_variables=keys) as own:
                result = await compare(request, sides, place, own, display)
    return FinishedComparison(place=place, result=result, plans=plans_of(place))


def order(request: PlanRequest, sides: Sides) -> dict[str, Any]:
    """Return what makes a comparison the one it is."""
    before = sides.before.id if sides.before is not None else STORED
    return request.order(
        sides.after.id, before, contract.locate(request.host_file, sides.after.path)
    )


async def estimated(request: PlanRequest, sides: Sides) -> Expected:
    """Return what a comparison will probably come to; nothing is sent.

    Raises:
        UsageError: something does not fit.
    """
    nowhere = Layout(request.layout.scratch / "full_plans" / "estimate")
    wanted = {AFTER: request.wanted(sides.after.path, nowhere)}
    async with experiment(wanted) as trial:
        return await expected(request, trial.works[AFTER])
