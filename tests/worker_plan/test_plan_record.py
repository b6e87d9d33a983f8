"""The files beside the artifacts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker_plan.conftest import names_in
from worker_plan import plan_record
from worker_plan.errors import PlanError

FAILED = {"model_name": "m", "duration": 1, "failure": "timeout: late"}
PARTIAL = {"model_name": "m", "duration": 1, "partial": True}
GOOD = {"model_name": "m", "duration": 1}


def put(run_dir: Path, name: str, value: object) -> None:
    """Write a raw artifact."""
    (run_dir / name).write_text(json.dumps(value))


def test_failed_and_partial_calls_are_counted_by_artifact(tmp_path: Path) -> None:
    """Metadata count wherever in the artifact they lie; per-item artifacts count one by one."""
    put(tmp_path, "002-12-enriched_levers_raw.json", {"metadata": [GOOD, FAILED, PARTIAL]})
    put(tmp_path, "016-1-2-expert_criticism_raw.json", {"metadata": FAILED})
    put(tmp_path, "016-1-x-expert_criticism_raw.json", {"metadata": FAILED})
    put(tmp_path, "002-9-potential_levers_raw.json", {"metadata": {"metadata_1": FAILED}})
    names = ["002-12-enriched_levers_raw.json", "016-1-<n>-expert_criticism_raw.json"]
    assert plan_record.shortcomings(tmp_path, names) == {
        "002-12-enriched_levers_raw.json": 2,
        "016-1-2-expert_criticism_raw.json": 1,
    }


def test_text_of_a_model_counts_as_no_failure(tmp_path: Path) -> None:
    """A key called failure without a model's name beside it is content."""
    put(tmp_path, "a.json", {"items": [{"failure": "pump breaks"}], "metadata": GOOD})
    assert plan_record.shortcomings(tmp_path, ["a.json"]) == {}


def test_end_tells_what_was_used_and_what_is_incomplete(tmp_path: Path) -> None:
    """The mark comes with the usage files, and names marked gaps."""
    plan_record.end(tmp_path, ["expert_review: 1 call"])
    assert names_in(tmp_path) == [
        "999-pipeline_complete.txt", "activity_overview.json", "usage_metrics.jsonl",
    ]  # fmt: skip
    assert "incomplete: expert_review: 1 call\n" in (tmp_path / plan_record.COMPLETE).read_text()
    assert plan_record.incomplete(tmp_path) == ["expert_review: 1 call"]
    plan_record.remove_mark(tmp_path)
    assert plan_record.COMPLETE not in names_in(tmp_path)


def test_second_pipeline_is_refused(tmp_path: Path) -> None:
    """One process at a time works on a plan, and the lock goes with it."""
    with (
        plan_record.locked(tmp_path),
        pytest.raises(PlanError, match="Another pipeline is working on"),
        plan_record.locked(tmp_path),
    ):
        pass
    with plan_record.locked(tmp_path):
        pass
