"""The usage files of older records and finished plans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model_gateway.attempt import Attempt

USAGE, OVERVIEW = "usage_metrics.jsonl", "activity_overview.json"


def usage_rows(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return `usage_metrics.jsonl` in the form of older records: one row per attempt."""
    rows = []
    for attempt in attempts:
        row: dict[str, Any] = {
            "timestamp": attempt.started,
            "success": attempt.failure_kind is None,
            "model": attempt.reported_model or attempt.model_id,
            "duration_seconds": round(attempt.seconds, 3),
        }
        if attempt.input_tokens is not None:
            row |= {"input_tokens": attempt.input_tokens, "output_tokens": attempt.output_tokens}
        if attempt.cost is not None:
            row["cost_usd"] = attempt.cost
        if attempt.failure_kind is not None:
            row["error"] = str(attempt.failure_kind)
        rows.append(row)
    return rows


def overview(attempts: Iterable[Attempt]) -> dict[str, Any]:
    """Return `activity_overview.json` in the form of older records: totals by model."""
    models: dict[str, dict[str, Any]] = {}
    last = ""
    for attempt in attempts:
        last = max(last, attempt.started)
        tokens = attempt.input_tokens or 0, attempt.output_tokens or 0
        amounts = {
            "calls": 1, "input_tokens": tokens[0], "output_tokens": tokens[1],
            "thinking_tokens": attempt.thinking_tokens or 0, "total_cost": attempt.cost or 0.0,
            "total_tokens": sum(tokens),
        }  # fmt: skip
        totals = models.setdefault(attempt.reported_model or attempt.model_id, {})
        for name, amount in amounts.items():
            totals[name] = totals.get(name, 0) + amount

    def total(name: str) -> Any:
        return sum(totals[name] for totals in models.values())

    return {
        "last_updated": last,
        "models": models,
        "total_cost": total("total_cost"),
        "total_input_tokens": total("input_tokens"),
        "total_output_tokens": total("output_tokens"),
        "total_thinking_tokens": total("thinking_tokens"),
        "total_tokens": total("total_tokens"),
    }
