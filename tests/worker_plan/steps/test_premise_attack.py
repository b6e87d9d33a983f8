"""Attacks from five sides, each by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.step import Detail
from worker_plan.steps import premise_attack
from worker_plan.steps.premise_attack import PremiseAttack, sides


def attack(call: Call[Any]) -> dict[str, Any]:
    """Answer with an attack that names its side."""
    return {
        "core_thesis": f"Thesis of {call.key}.",
        "reasons": ["A.", "B."],
        "second_order_effects": ["C."],
        "evidence": ["D."],
        "bottom_line": "No.",
    }


@pytest.mark.parametrize(
    ("detail", "count"),
    [
        (Detail.ALL_DETAILS_BUT_SLOW, 5),
        (Detail.FAST_BUT_SKIP_DETAILS, 2),
        (Detail.PING_LLM, 1),
    ],
)
def test_each_side_is_one_call(run_dir: Path, detail: Detail, count: int) -> None:
    """Less detail is fewer sides; each call holds its side's prompt and no other's."""
    ask = Scripted(attack)
    written = carry_out(PremiseAttack(run_dir=str(run_dir), detail=detail), ask)
    raw = written["002-3-premise_attack.json"]
    calls = sorted(ask.calls, key=lambda call: call.key)
    assert len(calls) == len(raw["response_list"]) == len(raw["system_prompt_list"]) == count
    for call, side in zip(calls, sides(), strict=False):
        assert [one for one in sides() if one.strip() in call.system] == [side]
        assert premise_attack.PREMISE_ATTACK_SYSTEM_PROMPT in call.system


def test_attack_that_fails_costs_only_itself(run_dir: Path) -> None:
    """The others are shown in their order; the failed one is marked."""
    ask = Scripted(lambda call: FAILED if call.key == "side_2" else attack(call))
    written = carry_out(PremiseAttack(run_dir=str(run_dir)), ask)
    markdown, raw = written["002-4-premise_attack.md"], written["002-3-premise_attack.json"]
    assert [line for line in markdown.splitlines() if line.startswith("# ")] == [
        "# 1. Thesis of side_1.",
        "# 2. Thesis of side_3.",
        "# 3. Thesis of side_4.",
        "# 4. Thesis of side_5.",
    ]
    assert [one.get("failure") for one in raw["metadata"]].index("server: the model is down") == 1


def test_no_attack_at_all_is_a_failure(run_dir: Path) -> None:
    """The first failure is reported."""
    with pytest.raises(StepError, match="none of 5 attacks succeeded: server: the model is down"):
        carry_out(PremiseAttack(run_dir=str(run_dir)), Scripted(lambda _: FAILED))
