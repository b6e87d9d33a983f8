"""The three steps that describe members: which field of a reply becomes which of a member."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.step import Step
from worker_plan.steps.enrich_team_members_with_background_story import (
    EnrichTeamMembersWithBackgroundStory,
)
from worker_plan.steps.enrich_team_members_with_contract_type import (
    EnrichTeamMembersWithContractType,
)
from worker_plan.steps.enrich_team_members_with_environment_info import (
    EnrichTeamMembersWithEnvironmentInfo,
)

KNOWN = {"id": 7, "category": "Baker", "explanation": "E", "consequences": "C", "count": "1"}
STEPS: list[tuple[type[Step], str, dict[str, str], dict[str, str]]] = [
    (
        EnrichTeamMembersWithContractType,
        "FindTeamMembers",
        {"contract_type": "Volunteer", "justification": "J"},
        {"contract_type": "volunteer", "contract_type_justification": "J"},
    ),
    (
        EnrichTeamMembersWithBackgroundStory,
        "EnrichTeamMembersWithContractType",
        {"job_background_story_of_employee": "B", "typical_job_activities": "T"},
        {"background_story": "B", "typical_job_activities": "T"},
    ),
    (
        EnrichTeamMembersWithEnvironmentInfo,
        "EnrichTeamMembersWithBackgroundStory",
        {"equipment_needs": "Q", "facility_needs": "F"},
        {"equipment_needs": "Q", "facility_needs": "F"},
    ),
]


@pytest.mark.parametrize(("kind", "before", "said", "added"), STEPS)
def test_fields_of_the_reply_become_fields_of_the_member(
    run_dir: Path, kind: type[Step], before: str, said: dict[str, str], added: dict[str, str]
) -> None:
    """What was known stays; what is said is added, and an entry that is not whole costs itself."""
    entries: list[dict[str, Any]] = [{"id": 7, **said}, {"id": 8}]
    task = prepared(kind, run_dir, **{before: [KNOWN, KNOWN | {"id": 8}]})
    ask = Scripted(lambda _: {"team_members": entries})
    raw, members = carry_out(task, ask).values()
    first, second = (member.model_dump() for member in members)
    assert first == KNOWN | added
    assert second == KNOWN | {"id": 8}
    assert raw["missing"] == [8]
    assert "<team_members>" in ask.sent
