"""The assumptions are numbered in the raw artifact and stand in the same order everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.make_assumptions import MakeAssumptions


def test_three_artifacts_hold_the_same_assumptions(run_dir: Path) -> None:
    """Numbers are ours, whatever the model writes; one without an answer goes."""
    items: list[dict[str, Any]] = [
        {"item_index": "Q9", "question": f"{word}?", "assumptions": f"{word}.", "assessments": None}
        for word in ("金額", "Zeit", "Wer")
    ]
    items.insert(1, {"item_index": 2, "question": "Where?"})
    ask = Scripted(lambda _: {"question_assumption_list": items})
    step = MakeAssumptions
    written = carry_out(prepared(step, run_dir), ask)
    raw = written[step.raw.name]["question_assumption_list"]
    assert [(one["item_index"], one["question"]) for one in raw] == [
        (1, "金額?"),
        (2, "Zeit?"),
        (3, "Wer?"),
    ]
    clean = [one.model_dump() for one in written[step.assumptions.name]]
    assert clean == [{k: v for k, v in one.items() if k != "item_index"} for one in raw]
    headings = [row for row in written[step.markdown.name].splitlines() if row.startswith("#")]
    assert headings == ["## Question 1: 金額?", "## Question 2: Zeit?", "## Question 3: Wer?"]
