"""What a step reads, made by hand: a short text for every artifact, so that it runs by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from worker_plan.step import Detail, Step

S = TypeVar("S", bound=Step)
ASSESSMENT = {
    "go_no_go_recommendation": "Go.",
    "combined_summary": "Begin with the boat.",
    "feedback": [{"title": "Insure the boat", "description": "Before the first tow."}],
}


def with_inputs(kind: type[S], run_dir: Path, detail: Detail = Detail.ALL_DETAILS_BUT_SLOW) -> S:
    """Return the step on a plan in which each text that it reads says its own name.

    The assessment is a small one; other JSON is for the test to save.
    """
    for artifact in kind.reads():
        content = f"What {artifact.name} says.\n"
        if artifact.name.endswith("pre_project_assessment.json"):
            content = json.dumps(ASSESSMENT)
        (run_dir / artifact.name).write_text(content)
    return kind(run_dir=str(run_dir), detail=detail)
