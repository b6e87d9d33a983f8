"""The typical cost of a plan: calls and tokens of a bundled sample plan, at a model's prices.

`make samples` measures them on the simulated model. A long plan text costs more, since most
steps read it. Retries are not included.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

from model_gateway.config import Model
from model_gateway.counts import counted

FILE = "typical_plan.json"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Calls, tokens and US dollars of one plan; dollars are None if the price is unknown."""

    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    dollars: float | None

    def text(self) -> str:
        """Return the figures on one line."""
        cost = "at an unknown price" if self.dollars is None else f"about ${self.dollars:.2f}"
        return (
            f"A plan on {self.model}: about {counted(self.calls, 'call')}, "
            f"{self.input_tokens} tokens in and {self.output_tokens} out, {cost} "
            "(estimate from a sample plan, without retries)"
        )


def expected(model: Model, speed: str) -> Expected:
    """Return what a plan will probably use on `model`."""
    text = resources.files("worker_plan").joinpath(FILE).read_text(encoding="utf-8")
    typical = json.loads(text)[speed]
    thinking = min(model.thinking_tokens, typical["output_tokens"])
    return Expected(
        model=model.name,
        calls=typical["calls"],
        input_tokens=typical["input_tokens"],
        output_tokens=typical["output_tokens"],
        dollars=model.cost(typical["input_tokens"], typical["output_tokens"] + thinking),
    )
