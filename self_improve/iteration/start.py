"""Putting an iteration together: gateway, ledger, forge, place; and what it costs, beforehand."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from model_gateway.counsel import Counsel, spent_in
from model_gateway.gateway import Gateway
from model_gateway.jsonl import read_rows
from model_gateway.ledger import Ledger, Spend, spent_before
from prompt_lab.layout import Layout, runs
from prompt_lab.record import RESERVATIONS, Run
from self_improve.errors import UsageError
from self_improve.forge.forge import Forge
from self_improve.iteration import folder as places
from self_improve.iteration.branches import Branching
from self_improve.iteration.context import Ground
from self_improve.iteration.decision import Decision
from self_improve.iteration.folder import Place
from self_improve.iteration.implementing import choice
from self_improve.iteration.implementing.acceptance import SMOKES
from self_improve.iteration.iterate import Iteration, keep
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.proposing import from_synthesis
from self_improve.iteration.publication import Publisher
from self_improve.iteration.request import Wish, runner_seed
from self_improve.runs.experiment import experiment
from self_improve.runs.progress import display
from self_improve.verdict import expectation


async def run(wish: Wish, *, new: bool = False, dry_run: bool = False) -> list[str]:
    """Run an iteration, or go on with the one that was begun; return how its candidates ended.

    Raises:
        UsageError: it is finished already and `new` was not said, or something does not fit.
        BudgetReached: a cap was reached.
    """
    require_measurable(wish)
    forge = forge_of(wish)
    branching = Branching(wish.layout, wish.code, forge)
    base = branching.base(wish.base)
    order = wish.order(base)
    if dry_run:
        await tell_cost(wish, branching, base)
        return []
    known = places.find(wish.layout, order)
    if known is not None and known.finished:
        # It may have been killed after its last phase and before that was committed.
        keep(wish, known, places.LAST_PHASE)
    if known is not None and known.finished and not new:
        rows = (known.result(places.LAST_PHASE) or {})["candidates"]
        for name, row in rows.items():
            say(f"{row['told']}: {name} {row['url']}")
        say(f"{known.id} is finished already; --new judges the same change once more.")
        return [row["end"] for row in rows.values()]
    place = known if known is not None and not known.finished else None
    if place is None:
        place = places.begin(wish.layout, wish.step, order)
    with places.held(place):
        async with gateway_of(wish, spent_on(wish.layout, [place])) as gateway:
            bench = Bench(gateway=gateway, forge=forge, branching=branching)
            decisions = await carry_out(wish, place, base, bench)
    return [str(decision.end) for decision in decisions.values()]


def require_measurable(wish: Wish) -> None:
    """Check, before anything is begun, that somebody can say what better means for the step.

    Raises:
        UsageError: the step has no rubric, or an expectation names no measure of it, or no model.
        RubricError: the rubric cannot be used.
    """
    rubric = rubric_of(wish.step)
    declared = [expectation.parse(one, rubric) for one in wish.expectations]
    plans = {plan for one in declared for plan in one.plans}  # They are looked at later.
    expectation.check_scope(declared, {model.name for model in wish.models}, plans)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What iterations work with, and loops share among theirs."""

    gateway: Gateway
    forge: Forge
    branching: Branching


def gateway_of(wish: Wish, spent: Spend) -> Gateway:
    """Return the gateway of a command whose earlier sessions have spent `spent`."""
    keys = (*wish.catalogue.key_variables, "GITHUB_TOKEN")
    return Gateway(ledger=Ledger(wish.caps, spent=spent), key_variables=keys)


async def carry_out(wish: Wish, place: Place, base: str, bench: Bench) -> dict[str, Decision]:
    """Do what is left of an iteration that this process holds.

    Raises:
        UsageError: something does not fit.
        BudgetReached: a cap was reached.
    """
    elsewhere = bench.gateway.ledger.spent - spent_on(wish.layout, [place])
    async with Counsel(bench.gateway, place.counsel, seed=wish.seed) as counsel:
        ground = Ground(
            wish=wish, place=place, base=base, rubric=rubric_of(wish.step), gateway=bench.gateway,
            counsel=counsel, branching=bench.branching, elsewhere=elsewhere,
            publisher=Publisher(wish, place, bench.forge, say), display=display(quiet=False),
        )  # fmt: skip
        decisions = await Iteration(ground).run()
    say(f"Recorded in {place.path}")
    return decisions


def forge_of(wish: Wish) -> Forge:
    """Return the forge that was named.

    Raises:
        UsageError: GitHub was named without a repository or a token.
    """
    return forge_named(wish.forge, wish.layout, wish.github_repository)


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


def spent_on(lab: Layout, own: Sequence[Place], *, seeds: Collection[int] = ()) -> Spend:
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


async def tell_cost_of(wish: Wish, step: str) -> None:
    """Say what one candidate of a step would come to; nothing is sent."""
    branching = Branching(wish.layout, wish.code, forge_of(wish))
    await tell_cost(replace(wish, step=step), branching, branching.base(wish.base))


async def tell_cost(wish: Wish, branching: Branching, base: str) -> None:
    """Say what the cells of one candidate would come to; nothing is sent."""
    tree = branching.tree(branching.baseline(base), base)
    wanted = wish.wanted(tree.code, number=-1)
    async with experiment({"baseline": wanted}) as trial:
        [expected] = (await trial.expected()).values()
    directions = from_synthesis.needed(wish)
    if directions:
        say(choice.told(wish, len(directions)))
    count = max(1, wish.candidates + len(directions))
    say(f"base {base[:12]} of {wish.base}; each side: {expected.told()}")
    say(
        f"{count + 1} sides on the train plans; what earns KEEP also runs on the verify plans, the "
        "steps that read its outputs, and one whole plan. Nothing was sent."
    )


def say(text: str) -> None:
    """Tell the user."""
    sys.stderr.write(text + "\n")
