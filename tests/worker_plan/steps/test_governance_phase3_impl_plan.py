"""The order in which bodies are set up: by name, without circles, with gaps in plain sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.governance_phase3_impl_plan import GovernancePhase3ImplPlan

RAW = "006-5-governance_phase3_impl_plan_raw.json"
BODIES = {"internal_governance_bodies": [{"name": "Deck Council"}, {"name": "Lock Watch"}]}


def step(step_id: str, *needs: str, who: str = "Baker") -> dict[str, Any]:
    """Return a step that needs others."""
    return {
        "step_id": step_id,
        "step_description": f"Do {step_id}.",
        "responsible_body_or_role": who,
        "key_outputs_deliverables": ["A list"],
        "depends_on_step_ids": list(needs),
    }


def answered(run_dir: Path, **setups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the step writes for these steps of bodies; `_` stands for a space."""
    listed = [{"body_name": n.replace("_", " "), "setup_steps": s} for n, s in setups.items()]
    task = prepared(GovernancePhase3ImplPlan, run_dir, GovernancePhase2Bodies=BODIES)
    return carry_out(task, Scripted(lambda _: {"body_setups": listed}))


def order(written: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return each step's description and what it needs, in their order."""
    plan = written[RAW]["governance_implementation_plan"]
    return [(one["step_description"], one["dependencies"]) for one in plan]


def test_no_step_comes_before_what_it_needs(run_dir: Path) -> None:
    """Needs are shown by number and description, across bodies; the order is kept otherwise."""
    written = answered(
        run_dir,
        Deck_Council=[step("S1"), step("S2", "S3", "S1"), step("S4")],
        lock_watch=[step("S3")],
    )
    assert order(written) == [
        ("Do S1.", []),
        ("Do S3.", []),
        ("Do S2.", ["1. Do S1.", "2. Do S3."]),
        ("Do S4.", []),
    ]
    assert written[RAW]["governance_implementation_plan"][1]["body_name"] == "Lock Watch"
    assert (
        "**Needs:**\n\n- 1. Do S1.\n- 2. Do S3.\n"
        in written["006-6-governance_phase3_impl_plan.md"]
    )


def test_circles_and_unknown_needs_are_dropped_and_recorded(run_dir: Path) -> None:
    """The steps stay, what cannot be kept of their needs is reported."""
    written = answered(
        run_dir,
        Deck_Council=[step("S1", "S3"), step("S2", "S1"), step("S3", "S2"), step("S4", "S4", "S9")],
        Lock_Watch=[step("S5")],
    )
    assert order(written)[:3] == [
        ("Do S2.", []),
        ("Do S3.", ["1. Do S2."]),
        ("Do S1.", ["2. Do S3."]),
    ]
    assert [one["reason"] for one in written[RAW]["refused"]] == [
        "needs S1, which closes a circle",
        "needs S4, which closes a circle",
        "needs S9, which is not there",
    ]


def test_unusable_steps_are_refused(run_dir: Path) -> None:
    """Ids that were given already and steps that say nothing are left out; a missing id is none."""
    nothing = step("S2") | {"step_description": " "}
    written = answered(run_dir, Deck_Council=[step("S1"), step("S1"), nothing, step("")])
    assert len(order(written)) == 2
    reasons = [one["reason"] for one in written[RAW]["refused"]]
    assert reasons == ["id already there", "no description"]


def test_bodies_that_nobody_sets_up_are_marked(run_dir: Path) -> None:
    """Steps for a body that does not exist are refused, and bodies without steps are named."""
    written = answered(run_dir, Deck_Council=[step("S1", who="DECK COUNCIL")], Mayors=[step("S2")])
    assert written[RAW]["missing"] == ["Lock Watch"]
    assert written[RAW]["refused"] == [{"name": "Mayors", "reason": "no such body"}]
    markdown = written["006-6-governance_phase3_impl_plan.md"]
    assert markdown.startswith("> **Incomplete.**")
    assert "the setting up of Lock Watch" in markdown.splitlines()[0]
    assert "**Responsible:** Deck Council" in markdown


def test_no_step_for_any_body_is_a_failure(run_dir: Path) -> None:
    """A plan without steps is none."""
    with pytest.raises(StepError, match="no step for any of the bodies"):
        answered(run_dir, Mayors=[step("S1")])


def test_hundreds_of_steps_in_a_chain_are_ordered(run_dir: Path) -> None:
    """The last one written may be the first to be done."""
    chain = [step(f"S{n}", f"S{n + 1}") for n in range(500)]
    assert order(answered(run_dir, Deck_Council=chain))[0] == ("Do S499.", [])
