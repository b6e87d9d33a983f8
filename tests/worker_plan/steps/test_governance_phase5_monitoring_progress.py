"""What is watched has a body that acts; others are marked."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.governance_phase5_monitoring_progress import (
    GovernancePhase5MonitoringProgress,
)

BODIES = {"internal_governance_bodies": [{"name": "Deck Council"}]}


def test_bodies_are_called_by_their_names_and_unknown_ones_are_marked(run_dir: Path) -> None:
    """A sign on which nobody acts stays, and is named in front."""
    entries = [
        {"approach": "Loaves left over", "adaptation_trigger": "More than 10.", **rest}
        for rest in ({"responsible_body_name": "DECK COUNCIL", "responsible_role": "Baker"}, {})
    ]
    entries[1]["approach"] = "Leaks"
    task = prepared(GovernancePhase5MonitoringProgress, run_dir, GovernancePhase2Bodies=BODIES)
    written = carry_out(task, Scripted(lambda _: {"monitoring_progress": entries}))
    raw = written["006-9-governance_phase5_monitoring_progress_raw.json"]["monitoring_progress"]
    assert [(one["responsible_role"], one["known_body"]) for one in raw] == [
        ("Baker", True),
        ("", False),
    ]
    markdown = written["006-10-governance_phase5_monitoring_progress.md"]
    assert "who acts on “Leaks”" in markdown.splitlines()[0]
    assert "**Who acts:** Deck Council" in markdown
