"""What a stored baseline plan records: the models that made it, and what they used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_gateway.config import Model
from model_gateway.counts import counted
from model_gateway.foreign_files import read_json
from model_gateway.jsonl import read_rows
from model_gateway.usage import USAGE
from self_improve.full_plan.request import PlanRequest

STORED, REGENERATED = "stored", "regenerated"
_MODEL_KEY = "model_name"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What one plan is compared with.

    `made_by` counts the calls by model; `same_model` and `same_speed` are None if unknown.
    """

    kind: str
    made_by: Mapping[str, int]
    same_model: bool | None
    same_speed: bool | None
    note: str

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        row = {**asdict(self), "made_by": dict(self.made_by)}
        row["told"] = row.pop("note")  # The key of stored records.
        return row


def baseline_of(plan: Path, request: PlanRequest) -> Baseline:
    """Return what a plan is compared with, and a note on how fair the comparison is."""
    model, speed = request.model, request.run.speed
    if request.regenerate_baseline:
        return Baseline(
            kind=REGENERATED, made_by={model.name: 0}, same_model=True, same_speed=True,
            note=f"Like with like: both sides were made at the same time, by {model.name} in the "
            f"mode {speed}; only the code differs.",
        )  # fmt: skip
    makers = makers_of(plan)
    same = is_same(makers, model)
    if same is None:
        note = "The model and mode of the stored plan are unknown."
    elif same:
        note = (
            f"The stored plan was made by {model.name}, too; its prompts are unknown, and so is "
            f"whether its mode was {speed}."
        )
    else:
        models = ", ".join(f"{name} ({counted(count, 'call')})" for name, count in makers.items())
        note = (
            f"The stored plan was made by {models}, the new one by {model.name}: differences may "
            "come from the model as well as from the prompts."
        )
    return Baseline(
        kind=STORED, made_by=makers, same_model=same, same_speed=None,
        note=f"{note} --regenerate-baseline compares like with like.",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What making a plan used; None is unknown. `requests` counts retries, too.

    `seconds` is the sum over requests, which run side by side.
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
    requests = list(rows)
    if not requests:
        return None
    return Usage(
        requests=len(requests),
        failed=sum(row.get("success") is False for row in requests),
        input_tokens=_whole(_total(requests, "input_tokens")),
        output_tokens=_whole(_total(requests, "output_tokens")),
        cost_usd=_total(requests, "cost_usd"),
        seconds=_total(requests, "duration_seconds"),
    )


def usage_of(plan: Path) -> Usage | None:
    """Return the sums of a plan's usage file, or None if there is none."""
    return usage_in(read_rows(plan / USAGE)[0])


def makers_of(plan: Path) -> dict[str, int]:
    """Return how many calls each model made for a plan, as far as its raw artifacts name models."""
    calls: Counter[str] = Counter()
    for path in sorted(plan.glob("*.json")):
        try:
            calls.update(_models_in(read_json(path)))
        except (OSError, ValueError):
            continue
    return dict(calls.most_common())


def is_same(makers: Mapping[str, int], model: Model) -> bool | None:
    """Return whether a plan was made by this model alone; None if unknown."""
    return set(makers) <= {model.name, model.model_id} if makers else None


def _models_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _models_in(one)
    elif isinstance(value, dict):
        if isinstance(value.get(_MODEL_KEY), str):
            yield value[_MODEL_KEY]
        for one in value.values():
            yield from _models_in(one)


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
