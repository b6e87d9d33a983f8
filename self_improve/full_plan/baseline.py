"""What a stored baseline plan tells of itself: who made it, and what that used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_gateway.config import Model
from model_gateway.jsonl import read_rows
from model_gateway.usage import USAGE
from self_improve.full_plan.request import PlanRequest

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
    note: str

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        row = {**asdict(self), "made_by": dict(self.made_by)}
        return {**row, "told": row.pop("note")}  # As records have called it from the beginning.


def baseline_of(plan: Path, request: PlanRequest) -> Baseline:
    """Return what a plan is compared with, and how fair that is."""
    model, speed = request.model, request.speed
    if request.regenerate_baseline:
        return Baseline(
            kind=REGENERATED, made_by={model.name: 0}, same_model=True, same_speed=True,
            note=f"Like with like: both sides were made at the same time, by {model.name} in the "
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
        note=f"{told} --regenerate-baseline compares like with like.",
    )  # fmt: skip


_NAMED = "model_name"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What making a plan used. `requests` counts retries, too; what nobody wrote down is None.

    `seconds` adds up the requests, which run side by side.
    """

    requests: int
    failed: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    seconds: float | None

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def usage_in(rows: Iterable[Mapping[str, Any]]) -> Usage | None:
    """Return the sums over rows of `usage_metrics.jsonl`, or None if there are none."""
    given = list(rows)
    if not given:
        return None
    return Usage(
        requests=len(given),
        failed=sum(row.get("success") is False for row in given),
        input_tokens=_whole(_total(given, "input_tokens")),
        output_tokens=_whole(_total(given, "output_tokens")),
        cost_usd=_total(given, "cost_usd"),
        seconds=_total(given, "duration_seconds"),
    )


def usage_of(plan: Path) -> Usage | None:
    """Return what a plan's own usage file says, or None if there is none."""
    return usage_in(read_rows(plan / USAGE)[0])


def makers_of(plan: Path) -> dict[str, int]:
    """Return by how many calls each model made a plan, as its raw artifacts name the models.

    Nothing is returned where they name none.
    """
    found: Counter[str] = Counter()
    for path in sorted(plan.glob("*.json")):
        try:
            found.update(_named(json.loads(path.read_bytes())))
        except (OSError, ValueError, RecursionError):
            continue
    return dict(found.most_common())


def is_same(makers: Mapping[str, int], model: Model) -> bool | None:
    """Return whether a plan was made by this model alone; None if nobody knows."""
    return set(makers) <= {model.name, model.model_id} if makers else None


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _named(one)
    elif isinstance(value, dict):
        if isinstance(value.get(_NAMED), str):
            yield value[_NAMED]
        for one in value.values():
            yield from _named(one)


def _total(rows: Iterable[Mapping[str, Any]], key: str) -> float | None:
    """Return a sum, or None if a row that succeeded lacks the value."""
    total = 0.0
    for row in rows:
        value = row.get(key)
        if isinstance(value, (int, float)):
            total += value
        elif row.get("success") is not False:
            return None
    return total


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
