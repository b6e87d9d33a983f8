"""Bodies are called by name later, so each needs a name of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.governance_phase2_bodies import GovernanceBodies, GovernancePhase2Bodies

RAW = "006-3-governance_phase2_bodies_raw.json"


def answered(run_dir: Path, *names: Any) -> dict[str, Any]:
    """Return what the step writes when bodies of these names are proposed."""
    reply = {
        "internal_governance_bodies": [{"name": name, "membership": ["Baker"]} for name in names]
    }
    return carry_out(prepared(GovernancePhase2Bodies, run_dir), Scripted(lambda _: reply))


def test_bodies_without_a_name_of_their_own_are_refused(run_dir: Path) -> None:
    """Case, width and spaces tell no two names apart; a broken body is passed over."""
    written = answered(
        run_dir, " Deck Council ", "DECK  council", " ", ["Lock keepers"], "運営会議"
    )
    bodies = written[RAW]
    assert [body.name for body in bodies.internal_governance_bodies] == ["Deck Council", "運営会議"]
    assert [one["reason"] for one in bodies.model_extra["refused"]] == [
        "name already there",
        "no name",
    ]
    assert "## 2. 運営会議" in written["006-4-governance_phase2_bodies.md"]


def test_no_body_with_a_name_is_a_failure(run_dir: Path) -> None:
    """Without names there is nothing that later steps could refer to."""
    with pytest.raises(StepError, match="none of 2 bodies has a name"):
        answered(run_dir, " ", "…")


def test_reply_that_broke_off_is_marked(run_dir: Path) -> None:
    """The whole bodies are kept, and the text says that some may be missing."""
    cut = '{"internal_governance_bodies": [{"name": "Deck Council"}, {"name": "Lock'
    written = carry_out(prepared(GovernancePhase2Bodies, run_dir), Scripted(lambda _: cut))
    assert len(written[RAW].internal_governance_bodies) == 1
    assert written[RAW].model_extra["metadata"]["partial"] is True
    assert written["006-4-governance_phase2_bodies.md"].startswith("> **Incomplete.**")


def test_names_are_recognised_however_they_are_written() -> None:
    """What names no body stays as it is."""
    bodies = GovernanceBodies.model_validate(
        {"internal_governance_bodies": [{"name": "Deck Council"}], "mood": "good"}
    )
    assert bodies.spelled("deck council.") == "Deck Council"
    assert bodies.spelled(" The mayor ") == "The mayor"
    assert bodies.find("") is None
