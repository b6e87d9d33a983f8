"""What a plan typically costs: the calls and tokens of a bundled sample plan, at a model's prices.

`make samples` measures them on the simulated model. A long plan text costs more, since most
steps read it; retries come on top.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

from model_gateway.config import Model
from model_gateway.ledger import Caps
from worker_plan.errors import PlanError

FILE = "typical_plan.json"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Calls, tokens and US dollars of one plan; dollars are None where the price is unknown."""

    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    dollars: float | None

    def text(self) -> str:
        """Return the figures as a line for people."""
        cost = "at an unknown price" if self.dollars is None else f"about ${self.dollars:.2f}"
        return (
            f"A plan on {self.model}: about {self.calls} calls, {self.input_tokens} tokens in and "
            f"{self.output_tokens} out, {cost} (as of a sample plan, before retries)"
        )

    def check(self, caps: Caps) -> None:
        """Refuse a cap on dollars that nobody could keep.

        Raises:
            PlanError: there is such a cap, but no price.
        """
        if caps.dollars is not None and self.dollars is None:
            raise PlanError(
                f"--max-cost cannot be kept for {self.model}: no price is known. Add one to its "
                "entry, or use --max-calls or --max-tokens."
            )


def expected(model: Model, speed: str) -> Expected:
    """Return what a plan will probably come to on `model`."""
    text = resources.files("worker_plan").joinpath(FILE).read_text(encoding="utf-8")
    known = json.loads(text)[speed]
    thinking = min(model.thinking_tokens, known["output_tokens"])
    return Expected(
        model=model.name,
        calls=known["calls"],
        input_tokens=known["input_tokens"],
        output_tokens=known["output_tokens"],
        dollars=model.cost(known["input_tokens"], known["output_tokens"] + thinking),
    )
