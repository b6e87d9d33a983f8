"""Tables of a comparison."""

from __future__ import annotations

from typing import Any

from self_improve.full_plan import kpis, pages

HOSTILE = "<script>alert(1)</script> @everyone | [x](http://evil)"


def row(composite: float | None, quality: float | None, *lost: str) -> dict[str, Any]:
    """Return the row of a step."""
    cell = {"succeeded": quality is not None, "failure_kind": HOSTILE, "quality": quality}
    return {
        "composite": composite, "before": {**cell, "succeeded": True, "quality": 0.5},
        "after": cell, "lost_gates": list(lost), "why_not": None,
    }  # fmt: skip


STEPS = {
    "up": row(1.0, 0.9),
    "down": row(-1.0, 0.2),
    "same": row(0.1, 0.5),
    "lost": row(None, None, HOSTILE),
}
TOTALS = kpis.totals(STEPS, {"up": 0.5, "down": 0.5, "same": 0.5})


def test_steps_count_as_moved_from_what_is_worth_a_merge() -> None:
    """What was not measured counts for nothing, and a lost gate is reported."""
    assert (TOTALS["better"], TOTALS["worse"], TOTALS["measured"]) == (["up"], ["down"], 3)
    assert TOTALS["lost_gates"] == ["lost"]
    assert TOTALS["median_composite"] == 0.1
    assert TOTALS["mean_quality_after"] == (0.9 + 0.2 + 0.5) / 3


def test_page_escapes_what_models_wrote_and_terminal_shows_what_moved() -> None:
    """Reasons of failures come from outside."""
    side = {"present": 1, "expected": 2, "missing": []}
    plan = {
        "baseline": {"told": "Stored."},
        "kpis": {
            "totals": TOTALS, "steps": STEPS, "judge": None, "failed_steps": {"lost": HOSTILE},
            "completeness": {"before": side, "after": side},
            "length": {s: {"markdown_chars": 5, "report_chars": None} for s in ("before", "after")},
            "usage": {"before": None, "after": None},
        },
    }  # fmt: skip
    result = {
        "told": HOSTILE, "speed": "FAST", "seed": 1, "model": {"name": "m", "id": HOSTILE},
        "code": {
            "before": None,
            "after": {"commit": "c" * 40, "branch": "b", "holds": [], "left_out": {"x": HOSTILE}},
        },
    }  # fmt: skip
    page = pages.page(result, {"plan": plan})
    assert "<script" not in page
    assert "](http" not in page
    assert "no best prompt can be used" in page
    assert "left out" in page
    shown = pages.shown(result, {"plan": plan})
    lines = [line.split()[0] for line in shown.splitlines() if line]
    assert {"up", "down", "lost"} <= set(lines)
    assert "same" not in lines
    assert "1 step changed by less" in shown
    assert "unknown" in shown
