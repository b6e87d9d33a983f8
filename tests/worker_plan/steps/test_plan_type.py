"""Whether a plan needs places and things."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import Scripted, carry_out
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType


def test_type_is_shown_with_its_explanation(run_dir: Path) -> None:
    """The purpose is shown to the model; its answer is the text."""
    IdentifyPurpose.markdown.save(run_dir, "Bread for villages.")
    ask = Scripted(lambda _: {"explanation": "It needs a boat.", "plan_type": "PHYSICAL"})
    written = carry_out(PlanType(run_dir=str(run_dir)), ask)
    assert "<purpose>\nBread for villages.\n</purpose>" in ask.sent
    assert written["002-8-plan_type.md"] == "It needs a boat.\n\n- Class: physical\n"
