"""The top of the work: a title on one line, and the same id in every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.create_wbs_level1 import CreateWbsLevel1


def test_title_stands_on_one_line(tmp_path: Path) -> None:
    """Whatever the model puts around it; a second run gives the same id."""
    reply = {"project_title": " Canal\n bakery ", "final_deliverable": "The boat"}
    ask = Scripted(lambda _: reply)
    written, again = (carry_out(prepared(CreateWbsLevel1, tmp_path), ask) for _ in range(2))
    assert written["018-3-wbs_level1_project_title.json"] == "Canal bakery"
    top = written["018-2-wbs_level1.json"]
    assert (top.project_title, top.final_deliverable) == ("Canal bakery", "The boat")
    assert top == again["018-2-wbs_level1.json"]


def test_project_without_a_title_is_a_failure(tmp_path: Path) -> None:
    """Every later page would begin with nothing."""
    ask = Scripted(lambda _: {"project_title": " \n", "final_deliverable": "The boat"})
    with pytest.raises(StepError, match="no title"):
        carry_out(prepared(CreateWbsLevel1, tmp_path), ask)
