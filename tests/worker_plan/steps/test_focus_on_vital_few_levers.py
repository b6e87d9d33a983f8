"""Choosing the vital few: by importance, then by the order of the list."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from worker_plan.steps.enrich_levers import EnrichedLever
from worker_plan.steps.focus_on_vital_few_levers import (
    MOST_LEVERS,
    Importance,
    LeverAssessment,
    VitalFewLevers,
    vital,
)


def lever(number: int) -> EnrichedLever:
    """Return a lever."""
    return EnrichedLever(
        lever_id=str(number), name=f"Lever {number}", consequences="C.", options=["A", "B", "C"],
        review="R.", description="D.", synergy_text="S.", conflict_text="K.",
    )  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.none() | st.sampled_from(Importance), max_size=12))
def test_most_important_levers_are_chosen(degrees: list[Importance | None]) -> None:
    """No lever left out is more important than a chosen one; unassessed ones come last."""
    levers = [lever(n) for n in range(len(degrees))]
    assessments = [
        LeverAssessment(lever_id=str(n), strategic_importance=degree, justification="J.")
        for n, degree in enumerate(degrees)
        if degree is not None
    ]
    order = [*Importance, None]
    chosen = [int(one.lever_id) for one in vital(levers, assessments)]
    assert len(chosen) == min(MOST_LEVERS, len(levers))
    expected = sorted(range(len(degrees)), key=lambda n: (order.index(degrees[n]), n))
    assert chosen == expected[:MOST_LEVERS]


def test_recorded_form_is_read() -> None:
    """Keys that newer or older records hold beside are not an error."""
    chosen = vital([lever(1)], [])
    response = {
        "lever_assessments": [
            {"lever_id": "1", "strategic_importance": "CRITICAL", "justification": "J."}
        ]
    }
    read = VitalFewLevers.model_validate(
        {"response": response, "levers": [one.model_dump() for one in chosen], "metadata": {}}
    )
    assert read.response.lever_assessments[0].strategic_importance is Importance.Critical
