"""Putting an iteration together: gateway, ledger, forge, place; and what it costs, beforehand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from model_gateway.counsel import Counsel, spent_in
from model_gateway.exits import say
from model_gateway.gateway import Gateway
from model_gateway.jsonl import read_rows
from model_gateway.ledger import Ledger, Spend, spent_before
from prompt_lab.layout import Layout, runs
from prompt_lab.record import RESERVATIONS, Run
from self_improve.errors import UsageError
from self_improve.forge.forge import Forge
from self_improve.iteration import folder as places
from self_improve.iteration.branches import Branching
from self_improve.iteration.context import IterationContext
from self_improve.iteration.decision import Decision
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.implementing import choice
from self_improve.iteration.implementing.acceptance import SMOKES
from self_improve.iteration.iterate import Iteration, keep
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.proposing import from_synthesis
from self_improve.iteration.publication import Publisher
from self_improve.iteration.request import IterationRequest, runner_seed
from self_improve.runs.experiment import experiment
from self_improve.runs.progress import display
from self_improve.verdict import expectation


async def run(request: IterationRequest, *, new: bool = False, dry_run: bool = False) -> list[str]:
    """Run an iteration, or go on with the one that was begun; return how its candidates ended.

    Raises:
        UsageError: it is finished already and `new` was not said, or something does not fit.
        BudgetReached: a cap was reached.
    """
    require_measurable(request)
    forge = forge_of(request)
    branching = Branching(request.layout, request.code, forge)
    base = branching.base(request.base)
    order = request.order(base)
    if dry_run:
        await tell_cost(request, branching, base)
        return []
    known = places.find(request.layout, order)
    if known is not None and known.finished:
        # It may have been killed after its last phase and before that was committed.
        keep(request, known, places.LAST_PHASE)
    if known is not None and known.finished and not new:
        rows = (known.result(places.LAST_PHASE) or {})["candidates"]
        for name, row in rows.items():
            say(f"{row['told']}: {name} {row['url']}")
        say(f"{known.id} is finished already; --new judges the same change once more.")
        return [row["end"] for row in rows.values()]
    place = known if known is not None and not known.finished else None
    if place is None:
        place = places.begin(request.layout, request.step, order)
    with places.held(place):
        async with gateway_of(request, spent_on(request.layout, [place])) as gateway:
            bench = Bench(gateway=gateway, forge=forge, branching=branching)
            decisions = await carry_out(request, place, base, bench)
    return [str(decision.end) for decision in decisions.values()]


def require_measurable(request: IterationRequest) -> None:
    """Check, before anything is begun, that somebody can say what better means for the step.

    Raises:
        UsageError: the step has no rubric, or an expectation names no measure of it, or no model.
        RubricError: the rubric cannot be used.
    """
    rubric = rubric_of(request.step)
    declared = [expectation.parse(one, rubric) for one in request.expectations]
    plans = {plan for one in declared for plan in one.plans}  # They are looked at later.
    expectation.check_scope(declared, {model.name for model in request.models}, plans)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What iterations work with, and loops share among theirs."""

    gateway: Gateway
    forge: Forge
    branching: Branching


def gateway_of(request: IterationRequest, spent: Spend) -> Gateway:
    """Return the gateway of a command whose earlier sessions have spent `spent`."""
    keys = (*request.catalogue.key_variables, "GITHUB_TOKEN")
    return Gateway(ledger=Ledger(request.caps, spent=spent), key_variables=keys)


async def carry_out(
    request: IterationRequest, place: IterationFolder, base: str, bench: Bench
) -> dict[str, Decision]:
    """Do what is left of an iteration that this process holds.

    Raises:
        UsageError: something does not fit.
        BudgetReached: a cap was reached.
    """
    elsewhere = bench.gateway.ledger.spent - spent_on(request.layout, [place])
    async with Counsel(bench.gateway, place.counsel, seed=request.seed) as counsel:
        context = IterationContext(
            request=request, place=place, base=base, rubric=rubric_of(request.step),
        gateway=bench.gateway,
            counsel=counsel, branching=bench.branching, elsewhere=elsewhere,
            publisher=Publisher(request, place, bench.forge, say), display=display(quiet=False),
        )  # fmt: skip
        decisions = await Iteration(context).run()
    say(f"Recorded in {place.path}")
    return decisions


def forge_of(request: IterationRequest) -> Forge:
    """Return the forge that was named.

    Raises:
        UsageError: GitHub was named without a repository or a token.
    """
    return forge_named(request.forge, request.layout, request.github_repository)


def forge_named(name: str, layout: Layout, github_repository: str | None) -> Forge:
    """Return the local forge of a data repo, or a repository on GitHub.

    Raises:
        UsageError: GitHub was named without a repository or a token.
    """
    if name == "local":
        from self_improve.forge.local import LocalForge

        return LocalForge(layout.forge)
    if not github_repository:
        raise UsageError(
            "Which repository on GitHub? Say --github-repo OWNER/NAME or set GITHUB_REPOSITORY."
        )
    # Imported here because only this needs it, and it takes half a second.
    from self_improve.forge.github import GitHubForge

    return GitHubForge.from_environment(github_repository)


def spent_on(lab: Layout, own: Sequence[IterationFolder], *, seeds: Collection[int] = ()) -> Spend:
    """Return what earlier sessions spent on iterations: on counsel, on programs, on runs.

    `seeds` are those of further runs of the same loop; no other run has the seed of one of these.
    """
    spent = Spend()
    known = {*seeds, *(runner_seed(place.order["seed"], place.number) for place in own)}
    layouts = [lab]
    for place in own:
        spent += spent_in(place.counsel)
        layouts += [Layout(lab.scratch / kept / place.id) for kept in ("searches", SMOKES)]
    for layout in layouts:
        for path in runs(layout) if known else ():
            run = Run(path)
            if run.meta.get("seed") in known:
                spent += spent_before(read_rows(path / RESERVATIONS)[0], run.attempts())
    return spent


async def tell_cost_of(request: IterationRequest, step: str) -> None:
    """Say what one candidate of a step would come to; nothing is sent."""
    branching = Branching(request.layout, request.code, forge_of(request))
    await tell_cost(replace(request, step=step), branching, branching.base(request.base))


async def tell_cost(request: IterationRequest, branching: Branching, base: str) -> None:
    """Say what the cells of one candidate would come to; nothing is sent."""
    tree = branching.tree(branching.baseline(base), base)
    wanted = request.wanted(tree.code, number=-1)
    async with experiment({"baseline": wanted}) as trial:
        [expected] = (await trial.expected()).values()
    directions = from_synthesis.needed(request)
    if directions:
        say(choice.summary(request, len(directions)))
    count = max(1, request.candidates + len(directions))
    say(f"base {base[:12]} of {request.base}; each side: {expected.text()}")
    say(
        f"{count + 1} sides on the train plans; what earns KEEP also runs on the verify plans, the "
        "steps that read its outputs, and one whole plan. Nothing was sent."
    )
