"""Putting an iteration together: gateway, ledger, forge, place; and what it costs, beforehand."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from model_gateway.gateway import Gateway
from model_gateway.jsonl import read_rows
from model_gateway.ledger import Ledger, Spend, spent_before
from prompt_lab.layout import runs
from prompt_lab.record import RESERVATIONS, Run
from self_improve.counsel import Counsel, spent_in
from self_improve.errors import UsageError
from self_improve.experiment import experiment
from self_improve.forge.forge import Forge
from self_improve.iteration import place as places
from self_improve.iteration.branching import Branching
from self_improve.iteration.iterate import Iteration
from self_improve.iteration.place import Place
from self_improve.iteration.publishing import Publisher
from self_improve.iteration.wish import Wish
from self_improve.progress import display


async def run(wish: Wish, *, new: bool = False, dry_run: bool = False) -> list[str]:
    """Run an iteration, or go on with the one that was begun; return how its candidates ended.

    Raises:
        UsageError: it is finished already and `new` was not said, or something does not fit.
        BudgetReached: a cap was reached.
    """
    forge = forge_of(wish)
    branching = Branching(wish.layout, wish.code, forge)
    base = branching.base(wish.base)
    order = wish.order(base)
    if dry_run:
        await _tell_cost(wish, branching, base)
        return []
    known = places.find(wish.layout, order)
    if known is not None and known.finished and not new:
        rows = (known.result(places.LAST_PHASE) or {})["candidates"]
        for name, row in rows.items():
            _say(f"{row['told']}: {name} {row['url']}")
        _say(f"{known.id} is finished already; --new judges the same change once more.")
        return [row["end"] for row in rows.values()]
    place = known if known is not None and not known.finished else None
    if place is None:
        place = places.begin(wish.layout, wish.step, order)
    with places.held(place):
        return await _held(wish, place, branching, forge, base)


async def _held(
    wish: Wish, place: Place, branching: Branching, forge: Forge, base: str
) -> list[str]:
    keys = (*wish.catalogue.key_variables, "GITHUB_TOKEN")
    ledger = Ledger(wish.caps, spent=_spent(wish, place))
    async with (
        Gateway(ledger=ledger, key_variables=keys) as gateway,
        Counsel(gateway, place.counsel, seed=wish.seed) as counsel,
    ):
        iteration = Iteration(
            wish, place, base, gateway=gateway, counsel=counsel, branching=branching,
            publisher=Publisher(wish, place, forge, _say), display=display(quiet=False),
        )  # fmt: skip
        decisions = await iteration.run()
    _say(f"Recorded in {place.path}")
    return [str(decision.end) for decision in decisions.values()]


def forge_of(wish: Wish) -> Forge:
    """Return the forge that was named.

    Raises:
        UsageError: GitHub was named without a repository or a token.
    """
    if wish.forge == "local":
        from self_improve.forge.local import LocalForge

        return LocalForge(wish.layout.forge)
    if not wish.github_repository:
        raise UsageError(
            "Which repository on GitHub? Say --github-repo OWNER/NAME or set GITHUB_REPOSITORY."
        )
    # Imported here because only this needs it, and it takes half a second.
    from self_improve.forge.github import GitHubForge

    return GitHubForge.from_environment(wish.github_repository)


def _spent(wish: Wish, place: Place) -> Spend:
    """Return what earlier sessions of this iteration spent: on counsel, and on its runs."""
    spent = spent_in(place.counsel)
    seed = wish.wanted(wish.code, number=place.number).seed
    for path in _own_runs(wish, place, seed):
        run = Run(path)
        spent += spent_before(read_rows(path / RESERVATIONS)[0], run.attempts())
    return spent


def _own_runs(wish: Wish, place: Place, seed: int) -> Iterator:  # type: ignore[type-arg]
    """Yield the runs of an iteration: no other has its seed."""
    folder = wish.layout.scratch / "searches" / place.id
    from prompt_lab.layout import Layout

    for layout in (wish.layout, Layout(folder)):
        for path in runs(layout):
            if Run(path).meta.get("seed") == seed:
                yield path


async def _tell_cost(wish: Wish, branching: Branching, base: str) -> None:
    """Say what the cells of one candidate would come to; nothing is sent."""
    tree = branching.tree(branching.baseline(base), base)
    wanted = wish.wanted(tree.code, number=-1)
    async with experiment({"baseline": wanted}) as trial:
        [expected] = (await trial.expected()).values()
    count = max(1, wish.candidates)
    _say(f"base {base[:12]} of {wish.base}; each side: {expected.told()}")
    _say(
        f"{count + 1} sides on the train plans; what earns KEEP also runs on the verify plans, the "
        "steps that read its outputs, and one whole plan. Nothing was sent."
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
