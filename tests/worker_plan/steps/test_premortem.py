"""The premortem: failures from three sides, each with its root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.step import Detail
from worker_plan.steps.premortem import Archetype, Premortem, sides


def failure(name: str, likelihood: int = 2, impact: int = 3) -> dict[str, Any]:
    """Return a failure."""
    return {
        "statement": f"Statement of {name}.",
        "test_now": "T.",
        "falsifier": "F.",
        "failure_mode_title": name,
        "risk_analysis": "It went so.",
        "early_warning_signs": ["E."],
        "owner": "Baker",
        "likelihood_5": likelihood,
        "impact_5": impact,
        "tripwires": ["W."],
        "playbook": ["P."],
        "stop_rule": "S.",
    }


def two(call: Call[Any]) -> dict[str, Any]:
    """Return two failures of a side."""
    return {"failures": [failure(f"{call.key} 1"), failure(f"{call.key} 2", 5, 5)]}


def test_each_failure_has_its_own_assumption(tmp_path: Path) -> None:
    """Numbers run through all sides, and each failure says from which side it comes."""
    prepared(Premortem, tmp_path)
    written = carry_out(Premortem(run_dir=str(tmp_path)), Scripted(two))
    raw = written["028-1-premortem_raw.json"]
    statements = {one["assumption_id"]: one["statement"] for one in raw["assumptions_to_kill"]}
    assert list(statements) == ["A1", "A2", "A3", "A4", "A5", "A6"]
    for number, mode in enumerate(raw["failure_modes"], start=1):
        assert mode["failure_mode_index"] == number
        root = statements[mode["root_cause_assumption_id"]]
        assert root == f"Statement of {mode['failure_mode_title']}."
        archetype = Archetype(mode["failure_mode_archetype"])
        assert mode["failure_mode_title"].startswith(archetype.name)
    assert raw["markdown"] == written["028-2-premortem.md"]


def test_table_of_failures_begins_with_the_gravest(tmp_path: Path) -> None:
    """By likelihood times impact; a degree outside 1 to 5 is unknown, and not taken as low."""
    prepared(Premortem, tmp_path)
    said = {"failures": [failure("a", 1, 2), failure("b", 7, 5), failure("c", 5, -1),
                         failure("d", 4, 5)]}  # fmt: skip
    task = Premortem(run_dir=str(tmp_path), detail=Detail.PING_LLM)
    written = carry_out(task, Scripted(lambda _: said))
    modes = written["028-1-premortem_raw.json"]["failure_modes"]
    assert [(mode["likelihood_5"], mode["impact_5"]) for mode in modes] == [
        (1, 2),
        (None, 5),
        (5, None),
        (4, 5),
    ]
    table = written["028-2-premortem.md"].split("## How it could fail")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert [(row[0], row[5]) for row in rows] == [
        ("| 4. d", "20"),
        ("| 1. a", "2"),
        ("| 2. b", "–"),
        ("| 3. c", "–"),
    ]


@pytest.mark.parametrize(
    ("detail", "count"),
    [
        (Detail.ALL_DETAILS_BUT_SLOW, 3),
        (Detail.FAST_BUT_SKIP_DETAILS, 2),
        (Detail.PING_LLM, 1),
    ],
)
def test_less_detail_is_fewer_sides(tmp_path: Path, detail: Detail, count: int) -> None:
    """Each side is one call, which ends with the side's prompt and no other's."""
    prepared(Premortem, tmp_path)
    ask = Scripted(two)
    carry_out(Premortem(run_dir=str(tmp_path), detail=detail), ask)
    assert len(ask.calls) == count
    for call in ask.calls:
        assert call.user.endswith(sides()[Archetype[call.key]])
        assert sum(side in call.user for side in sides().values()) == 1


def test_side_that_fails_costs_only_itself(tmp_path: Path) -> None:
    """It is named as a gap; without any side there is no premortem."""
    prepared(Premortem, tmp_path)
    ask = Scripted(lambda call: FAILED if call.key == "means" else two(call))
    written = carry_out(Premortem(run_dir=str(tmp_path)), ask)
    assert "nothing usable for: Technical/Logistical." in written["028-2-premortem.md"]
    assert len(written["028-1-premortem_raw.json"]["failure_modes"]) == 4
    with pytest.raises(StepError, match="none of 3 sides succeeded: server"):
        carry_out(Premortem(run_dir=str(tmp_path)), Scripted(lambda _: FAILED))
