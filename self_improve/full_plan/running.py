"""Finding the comparison that was begun or beginning one, under its ledger; and its estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_gateway.gateway import Gateway
from model_gateway.ledger import Ledger
from prompt_lab.layout import Layout
from self_improve import host
from self_improve.errors import UsageError
from self_improve.experiment import experiment
from self_improve.full_plan import place as places
from self_improve.full_plan import telling
from self_improve.full_plan.comparing import Say, Sides, compare, plans_of
from self_improve.full_plan.estimating import Expected, expected
from self_improve.full_plan.fairness import STORED
from self_improve.full_plan.place import Place
from self_improve.full_plan.regenerating import AFTER
from self_improve.full_plan.request import Request
from self_improve.progress import Display


@dataclass(frozen=True, kw_only=True)
class Found:
    """A comparison that is whole; `plans` are its files `kpi_comparison.json`."""

    place: Place
    result: Mapping[str, Any]
    plans: Mapping[str, Mapping[str, Any]]


async def run(
    request: Request,
    sides: Sides,
    *,
    new: bool,
    display: Display,
    say: Say,
    gateway: Gateway | None = None,
) -> Found:
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
        for line in telling.code_facts(sides.after.to_row()):
            say(line)
        if gateway is not None:
            result = await compare(request, sides, place, gateway, display)
        else:
            keys = (*request.catalogue.key_variables, "GITHUB_TOKEN")
            ledger = Ledger(request.caps, spent=place.spent())
            async with Gateway(ledger=ledger, key_variables=keys) as own:
                result = await compare(request, sides, place, own, display)
    return Found(place=place, result=result, plans=plans_of(place))


def order(request: Request, sides: Sides) -> dict[str, Any]:
    """Return what makes a comparison the one it is."""
    before = sides.before.id if sides.before is not None else STORED
    return request.order(sides.after.id, before, host.locate(request.host_file, sides.after.path))


async def estimated(request: Request, sides: Sides) -> Expected:
    """Return what a comparison will probably come to; nothing is sent.

    Raises:
        UsageError: something does not fit.
    """
    nowhere = Layout(request.layout.scratch / "full_plans" / "estimate")
    wanted = {AFTER: request.wanted(sides.after.path, nowhere)}
    async with experiment(wanted) as trial:
        return await expected(request, trial.works[AFTER])
