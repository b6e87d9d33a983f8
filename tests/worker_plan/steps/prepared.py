"""A plan directory with just what one step reads, for steps whose upstream is long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.worker_plan.conftest import PLAN
from worker_plan.step import Step
from worker_plan.steps.setup import Setup

ASSESSMENT = {
    "go_no_go_recommendation": "Begin in spring.",
    "combined_summary": "The oven is the risk.",
    "feedback": [{"title": "Oven", "description": "Ask who\nmay carry it."}],
}


def prepared(kind: type[Step], run_dir: Path, **contents: Any) -> Step:
    """Return the task of a step in `run_dir`, with every artifact there that it reads.

    Texts say whose they are; `given` holds the JSON of a step by the name of its class.
    """
    values = {"PreProjectAssessment": ASSESSMENT} | contents
    for artifact in kind.reads():
        owner = artifact.owner.__name__
        if artifact.owner is Setup:
            text = PLAN
        elif artifact.name.endswith(".json"):
            text = json.dumps(values[owner], ensure_ascii=False)
        else:
            text = f"This is what {owner} says."
        (run_dir / artifact.name).write_text(text)
    return kind(run_dir=str(run_dir))
