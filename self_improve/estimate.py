"""What a command will cost, measured by running each plan once on the simulated model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_gateway.config import Model
from self_improve.preparation import Prepared, Wanted
from self_improve.probe import MODEL, SECONDS, probe
from self_improve.session import RunState


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The expected calls, tokens and US dollars; dollars are None where a price is unknown."""

    cells: int
    calls: int
    input_tokens: int
    output_tokens: int
    dollars: float | None

    def told(self) -> str:
        """Return the estimate as a line for people."""
        cost = "at an unknown price" if self.dollars is None else f"about ${self.dollars:.4f}"
        return (
            f"{self.cells} cells, about {self.calls} calls, {self.input_tokens} tokens in and "
            f"{self.output_tokens} out, {cost} (measured on the simulated model, before retries)"
        )


async def estimate(wanted: Wanted, work: Prepared, states: Sequence[RunState]) -> Estimate:
    """Return what the cells that are left of `states` will probably come to.

    The simulated model is given the real inputs, so the sizes of the requests are right; the
    number of calls and the lengths of the replies are typical ones.
    """
    todo = [(state, plan) for state in states if not state.is_finished for plan, _ in state.jobs()]
    first = work.specifications[0]
    names = sorted({plan for _, plan in todo})
    asked = replace(first, inputs={name: first.inputs[name] for name in names})
    model, over_http = wanted.catalogue.find(MODEL), work.host.uses_gateway_url
    seconds = min(SECONDS, wanted.seconds)
    seen = (
        await probe(work.server, model, [asked], over_http=over_http, seconds=seconds)
        if names
        else {}
    )
    total = Estimate(cells=len(todo), calls=0, input_tokens=0, output_tokens=0, dollars=0.0)
    for state, plan in todo:
        attempts = seen.get((work.step.name, plan), [])
        tokens_in = sum(a.input_tokens or 0 for a in attempts)
        tokens_out = sum(a.output_tokens or 0 for a in attempts)
        cost = _cost(state.specification.model, tokens_in, tokens_out)
        total = replace(
            total,
            calls=total.calls + len(attempts),
            input_tokens=total.input_tokens + tokens_in,
            output_tokens=total.output_tokens + tokens_out,
            dollars=None if cost is None or total.dollars is None else total.dollars + cost,
        )
    return total


def _cost(model: Model, tokens_in: int, tokens_out: int) -> float | None:
    thinking = min(model.thinking_tokens, tokens_out)  # A guess: as much again as is shown.
    return model.cost(tokens_in, tokens_out + thinking)
