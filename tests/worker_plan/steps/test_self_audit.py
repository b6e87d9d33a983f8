"""The self-audit: twenty checks with levels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.self_audit import SelfAudit, checks


def audit(call: Call[Any]) -> dict[str, Any]:
    """Answer every check of `call`; the first check is low."""
    numbers = [int(n) for n in re.findall(r"(?m)^Question (\d+): ", call.user)]
    return {
        "audits": [
            {"question_id": 1, "level": "LOW", "justification": "Fine.", "mitigation": None}
            if number == 1
            else {"question_id": number, "level": "high", "justification": f"Reason {number}.",
                  "mitigation": f"Action {number}."}
            for number in numbers
        ]
    }  # fmt: skip


def test_all_checks_are_answered_and_counted(tmp_path: Path) -> None:
    """By number in both artifacts; what is low needs no action."""
    prepared(SelfAudit, tmp_path)
    written = carry_out(SelfAudit(run_dir=str(tmp_path)), Scripted(audit))
    raw, markdown = written["029-1-self_audit_raw.json"], written["029-2-self_audit.md"]
    assert list(raw["responses"]) == [str(number) for number in range(1, 21)]
    assert raw["responses"]["1"] == {"level": "low", "justification": "Fine.", "mitigation": ""}
    cleaned = raw["checklist_answers_cleaned"]
    assert [(one["index"], one["title"], one["subtitle"]) for one in cleaned] == [
        (check.number, check.title, check.text) for check in checks()
    ]
    assert "high: 19, medium: 0, low: 1" in markdown
    assert "| 1. Laws of nature | low | – |" in markdown
    assert markdown.count("**What would lower it.**") == 19
    assert "Incomplete" not in markdown


def test_checks_without_an_answer_are_marked(tmp_path: Path) -> None:
    """A failed call, a level that is none, and a level without a reason are gaps."""
    prepared(SelfAudit, tmp_path)

    def answer(call: Call[Any]) -> Any:
        if call.key == "questions_17_to_20":
            return FAILED
        said = audit(call)
        for one in said["audits"]:
            if one["question_id"] == 2:
                one["level"] = "rather high"
            if one["question_id"] == 3:
                one["justification"] = " "
        return said

    written = carry_out(SelfAudit(run_dir=str(tmp_path)), Scripted(answer))
    raw = written["029-1-self_audit_raw.json"]
    titles = [check.title for check in checks()]
    assert raw["missing"] == [*titles[1:3], *titles[16:]]
    assert len(raw["checklist_answers_cleaned"]) == 14
    assert f"nothing usable for: {'; '.join(raw['missing'])}." in written["029-2-self_audit.md"]
