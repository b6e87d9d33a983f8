"""Whether the two sides of a comparison differ in more than their prompts, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from self_improve.full_plan.request import Request
from self_improve.full_plan.stored import is_same, makers_of

STORED, REGENERATED = "stored", "regenerated"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What one plan is compared with.

    `made_by` counts the calls by model; `same_model` and `same_speed` are None where nobody knows.
    """

    kind: str
    made_by: Mapping[str, int]
    same_model: bool | None
    same_speed: bool | None
    told: str

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "made_by": dict(self.made_by)}


def baseline_of(plan: Path, request: Request) -> Baseline:
    """Return what a plan is compared with, and how fair that is."""
    model, speed = request.model, request.speed
    if request.regenerate_baseline:
        return Baseline(
            kind=REGENERATED, made_by={model.name: 0}, same_model=True, same_speed=True,
            told=f"Like with like: both sides were made at the same time, by {model.name} in the "
            f"mode {speed}; only the code differs.",
        )  # fmt: skip
    makers = makers_of(plan)
    same = is_same(makers, model)
    if same is None:
        told = "It is not known which model made the stored plan, nor in which mode."
    elif same:
        told = (
            f"The stored plan was made by {model.name}, too; it is not known with which prompts, "
            f"nor whether in the mode {speed}."
        )
    else:
        named = ", ".join(f"{name} ({count} calls)" for name, count in makers.items())
        told = (
            f"The stored plan was made by {named}, the new one by {model.name}: what differs may "
            "come from the model as well as from the prompts."
        )
    return Baseline(
        kind=STORED, made_by=makers, same_model=same, same_speed=None,
        told=f"{told} --regenerate-baseline compares like with like.",
    )  # fmt: skip
