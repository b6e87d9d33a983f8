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
        name = attempt.reported_model or attempt.model_id
        total = models.setdefault(
            name,
            {"calls": 0, "input_tokens": 0, "output_tokens": 0, "thinking_tokens": 0,
             "total_cost": 0.0, "total_tokens": 0},
        )  # fmt: skip
        used = (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
        total["calls"] += 1
        total["input_tokens"] += attempt.input_tokens or 0
        total["output_tokens"] += attempt.output_tokens or 0
        total["thinking_tokens"] += attempt.thinking_tokens or 0
        total["total_cost"] += attempt.cost or 0.0
        total["total_tokens"] += used
    sums = models.values()
    return {
        "last_updated": last,
        "models": models,
        "total_cost": sum(m["total_cost"] for m in sums),
        "total_input_tokens": sum(m["input_tokens"] for m in sums),
        "total_output_tokens": sum(m["output_tokens"] for m in sums),
        "total_thinking_tokens": sum(m["thinking_tokens"] for m in sums),
        "total_tokens": sum(m["total_tokens"] for m in sums),
    }
