"""The summary: what matters most comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.executive_summary import ExecutiveSummary, ExecutiveSummaryReply

SAID: dict[str, Any] = {name: f"Said of {name}." for name in ExecutiveSummaryReply.model_fields}


def test_takeaway_comes_first_and_nothing_is_lost(tmp_path: Path) -> None:
    """All nine texts are there; the raw artifact has the same page."""
    prepared(ExecutiveSummary, tmp_path)
    written = carry_out(ExecutiveSummary(run_dir=str(tmp_path)), Scripted(lambda _: SAID))
    markdown = written["025-2-executive_summary.md"]
    assert markdown.splitlines()[2] == "**Said of overall_takeaway.**"
    assert [text for text in SAID.values() if text not in markdown] == []
    assert written["025-1-executive_summary_raw.json"]["markdown"] == markdown


def test_empty_text_leaves_no_heading(tmp_path: Path) -> None:
    """A heading without content is left out."""
    prepared(ExecutiveSummary, tmp_path)
    ask = Scripted(lambda _: SAID | {"feedback": " "})
    written = carry_out(ExecutiveSummary(run_dir=str(tmp_path)), ask)
    assert written["025-2-executive_summary.md"].count("\n## ") == 7


def test_no_reply_is_a_failure(tmp_path: Path) -> None:
    """There is no summary without the model."""
    prepared(ExecutiveSummary, tmp_path)
    with pytest.raises(StepError, match="no usable reply: server: the model is down"):
        carry_out(ExecutiveSummary(run_dir=str(tmp_path)), Scripted(lambda _: FAILED))
