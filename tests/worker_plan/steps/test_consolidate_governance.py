"""The governance as one text."""

from __future__ import annotations

import re
from pathlib import Path

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.consolidate_governance import ConsolidateGovernance
from worker_plan.steps.governance_phase6_extra import GovernancePhase6Extra


def test_every_part_stands_whole_under_its_heading(run_dir: Path) -> None:
    """The parts come in their order; a note on what is missing stays with its part."""
    task = prepared(ConsolidateGovernance, run_dir)
    GovernancePhase6Extra.markdown.save(run_dir, "> **Incomplete.** Oh.\n\n## Questions\n")
    text = carry_out(task, Scripted(lambda _: FAILED))["006-13-consolidate_governance.md"]
    phases = re.findall(r"what GovernancePhase(\d)", text)
    assert phases == ["1", "2", "3", "4", "5"]
    assert text.endswith("# Holes and questions\n\n> **Incomplete.** Oh.\n\n## Questions\n")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 6
