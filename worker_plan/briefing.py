"""What the steps before have said of a plan, as a step puts it in front of its question."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from model_gateway.material import blocks
from worker_plan.artifact import Input
from worker_plan.markdown import bullets, document
from worker_plan.outline import outline
from worker_plan.step import Step
from worker_plan.steps.pre_project_assessment import PreProjectAssessment


def briefing(step: Step) -> str:
    """Return every text that `step` reads, each in a block called like its attribute.

    The blocks come in the order of their declaration: steps that begin with the same ones send
    the same beginning, for which servers charge less. JSON is passed over, since each step shows
    it in its own way; only the assessment is turned into text, and a table into an outline.
    """
    texts: dict[str, str] = {}
    for name, declared in vars(type(step)).items():
        if not isinstance(declared, Input):
            continue
        value = getattr(step, name)
        if declared.artifact is PreProjectAssessment.assessment:
            value = assessment_text(value)
        elif declared.artifact.name.endswith(".csv"):
            value = outline(value)
        if isinstance(value, str):
            texts[name] = value
    return blocks(**texts)


def assessment_text(assessment: BaseModel | dict[str, object]) -> str:
    """Return the assessment as Markdown: a model might answer JSON entry by entry."""
    facts = to_jsonable_python(assessment)
    lines = [facts.get("go_no_go_recommendation", ""), "", facts.get("combined_summary", ""), ""]
    told = (f"{one['title']}: {one['description']}" for one in facts.get("feedback", []))
    return document([*lines, *bullets(told)])
