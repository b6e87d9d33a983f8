"""Risks are kept one by one, with their grades."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.markdown import INCOMPLETE
from worker_plan.steps.identify_risks import IdentifyRisks

RAW, MARKDOWN = IdentifyRisks.raw.name, IdentifyRisks.markdown.name


def risk(area: str, **changes: Any) -> dict[str, Any]:
    """Return a risk as a model gives it."""
    return {
        "risk_area": area,
        "risk_description": f"{area} may fail.",
        "potential_impact": "No bread.",
        "likelihood": "low",
        "severity": "High",
        "action": f"Test {area}.",
        **changes,
    }


def test_risk_with_an_unknown_grade_costs_itself(run_dir: Path) -> None:
    """The others stay in their order, with the grades as the data contract writes them."""
    areas = ("Ofen", "Schleuse", "Mehl")
    risks = [risk(areas[0]), risk("Wetter", severity="ganz schlimm"), *map(risk, areas[1:])]
    written = carry_out(prepared(IdentifyRisks, run_dir), Scripted(lambda _: {"risks": risks}))
    risks = written[RAW]["risks"]
    assert [one["risk_area"] for one in risks] == list(areas)
    assert {(one["likelihood"], one["severity"]) for one in risks} == {("low", "high")}
    assert written[MARKDOWN].count("**Severity:** high") == 3


def test_reply_that_broke_off_is_marked(run_dir: Path) -> None:
    """The whole risks of it are kept, and the text says that something followed."""
    text = str([risk(area) for area in ("A", "B", "C", "D")]).replace("'", '"')
    broken = f'{{"risks": {text[: text.rindex("potential_impact")]}'
    written = carry_out(prepared(IdentifyRisks, run_dir), Scripted(lambda _: broken))
    assert [one["risk_area"] for one in written[RAW]["risks"]] == ["A", "B", "C"]
    assert written[RAW]["metadata"]["partial"] is True
    assert written[MARKDOWN].startswith(f"> {INCOMPLETE}")


def test_failure_of_the_call_is_reported(run_dir: Path) -> None:
    """Without risks there is nothing to go on with."""
    with pytest.raises(StepError, match="the model is down"):
        carry_out(prepared(IdentifyRisks, run_dir), Scripted(lambda _: FAILED))
