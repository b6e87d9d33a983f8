"""Roles get their ids here, and not too many of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.find_team_members import MOST, FindTeamMembers


def answered(run_dir: Path, *titles: str) -> dict[str, Any]:
    """Return what the step writes when roles of these titles are proposed."""
    roles = [{"job_category_title": title, "short_explanation": "Bakes."} for title in titles]
    reply = {"brainstorm_of_needed_team_members": roles}
    return carry_out(prepared(FindTeamMembers, run_dir), Scripted(lambda _: reply))


def test_roles_are_numbered_from_one(run_dir: Path) -> None:
    """Roles without a title of their own are refused and take no number."""
    written = answered(run_dir, "Baker", " ", "BAKER", "船長")
    members = written["008-2-find_team_members.json"]
    assert [(member.id, member.category) for member in members] == [(1, "Baker"), (2, "船長")]
    refused = written["008-1-find_team_members_raw.json"]["refused"]
    assert [one["reason"] for one in refused] == ["no title", "title already there"]


def test_what_is_not_known_yet_is_not_written(run_dir: Path) -> None:
    """Later steps add their fields; until then these are not there."""
    answered(run_dir, "Baker")
    text = (run_dir / "008-2-find_team_members.json").read_text()
    assert "contract_type" not in text
    assert '"count": ""' in text


def test_hundreds_of_roles_do_not_go_on(run_dir: Path) -> None:
    """Each would be described in three more calls."""
    written = answered(run_dir, *(f"Role {n}" for n in range(500)))
    assert len(written["008-2-find_team_members.json"]) == MOST
    assert len(written["008-1-find_team_members_raw.json"]["refused"]) == 500 - MOST


def test_no_role_with_a_title_is_a_failure(run_dir: Path) -> None:
    """There would be nobody to describe."""
    with pytest.raises(StepError, match="none of 1 roles has a title"):
        answered(run_dir, "…")
