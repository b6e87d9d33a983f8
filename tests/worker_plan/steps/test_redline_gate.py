"""The gate: one verdict, in a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.steps.redline_gate import RedlineGate, RedlineReply, RedlineVerdict, render

REFUSAL = RedlineReply(
    verdict=RedlineVerdict.REFUSE,
    rationale_short="It would poison a river.",
    violation_category="Poison",
    violation_claim="Step 3 empties the tanks.",
    violation_severity="high",
)


@pytest.mark.parametrize(
    "verdict",
    ["ALLOW_WITH_SAFETY_FRAMING", "allow with safety framing", " Allow_With safety FRAMING "],
)
def test_verdict_is_taken_however_it_is_written(run_dir: Path, verdict: str) -> None:
    """Case, spaces and underscores do not matter; what is left out has a default."""
    ask = Scripted(lambda _: {"verdict": verdict, "rationale_short": "Harmless."})
    raw = carry_out(RedlineGate(run_dir=str(run_dir)), ask)["002-1-redline_gate.json"]
    assert raw["verdict"] == "ALLOW_WITH_SAFETY_FRAMING"
    assert raw["violation_capability_uplift"] is False
    assert raw["violation_category"] is None


def test_refusal_is_shown_with_its_reasons() -> None:
    """Claim, category and severity stand in the text."""
    assert render(REFUSAL) == (
        "# REFUSE\n\nIt would poison a river.\n\n> Step 3 empties the tanks.\n\n- Poison (high)\n"
    )


def test_permission_is_shown_in_two_lines() -> None:
    """Nothing is said of violations that there are not."""
    allowed = RedlineReply(verdict=RedlineVerdict.ALLOW, rationale_short="Bread.")
    assert render(allowed) == "# ALLOW\n\nBread.\n"


def test_gate_without_a_reply_writes_nothing(run_dir: Path) -> None:
    """The model's failure is the step's."""
    with pytest.raises(StepError, match="the model is down"):
        carry_out(RedlineGate(run_dir=str(run_dir)), Scripted(lambda _: FAILED))
    assert not (run_dir / "002-1-redline_gate.json").exists()
