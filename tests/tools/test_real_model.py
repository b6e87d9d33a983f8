"""The campaign on a real model is resumed, stops in time, and its page hides nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from model_gateway.errors import PlumblineError
from tools.real_model import page
from tools.real_model.campaign import Campaign, Sizes
from tools.real_model.prompts import DAMAGED, IMPROVED, STEPS
from tools.real_model.units import Result, Results, Unit

RUN: Result = {
    "path": "p", "cells": 10, "failed": ["truncated"], "evidence": {"kind": "real"}, "attempts": 12,
    "resumed": False, "model_seconds": 90.0, "seconds": 100.0,
    "input_tokens": 9000, "output_tokens": 900,
}  # fmt: skip


def test_unit_is_worked_off_once(tmp_path: Path) -> None:
    """A second command does only what is left, and begins nothing after its time."""
    done: list[str] = []

    def unit(name: str) -> Unit:
        def work() -> Result:
            done.append(name)
            return {"value": name}

        return Unit(name=name, work=work)

    results = Results(tmp_path)
    assert results.work_off([unit("run/a/1")], until=time.monotonic() + 1e6) == 0
    later = [unit("run/a/1"), unit("run/a/2")]
    assert results.work_off(later, until=time.monotonic() - 1) == 1
    assert Results(tmp_path).work_off(later, until=time.monotonic() + 1e6) == 0
    assert done == ["run/a/1", "run/a/2"]
    assert set(results.named("run")) == {"a/1", "a/2"}


def test_prompts_differ_from_the_one_that_ships() -> None:
    """Each change is one, for every step."""
    for step in STEPS.values():
        texts = [change(step) for change in (*DAMAGED.values(), *IMPROVED.values())]
        assert len({step.prompt, *texts}) == 7


def test_runs_of_another_version_are_not_mixed(tmp_path: Path) -> None:
    """A folder belongs to one version of the code and one number of repeats."""
    sizes = Sizes(steps=("plan_type",), repeats=2, runs=3, search_calls=40, survey_seconds=60.0)
    for _ in range(2):
        Campaign(tmp_path, sizes).require_same_code()
    with pytest.raises(PlumblineError, match="Name another --folder"):
        Campaign(tmp_path, replace(sizes, repeats=3)).require_same_code()


def test_page_counts_false_decisions_and_names_what_was_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision between equals, failures, and searches that are missing are on the page."""
    monkeypatch.setattr(page, "steps_with_models", lambda: ["plan_type", "redline_gate"])
    sizes = Sizes(
        steps=("plan_type",), repeats=2, runs=3, search_calls=40, survey_seconds=60.0
    )  # fmt: skip
    campaign = Campaign(tmp_path, sizes)
    name = next(iter(DAMAGED))
    rows: dict[str, Result] = {
        "run/plan_type/1": RUN,
        "run/plan_type/2": RUN,
        "pair/plan_type/1=2": {"word": "KEEP", "evidence": "real"},
        f"change/plan_type/{name}": RUN,
        f"verdict/plan_type/{name}": {"word": "REJECT", "evidence": "real", "reasons": ["it fell"]},
        "survey/plan_type": {"status": "failed", "failure_kind": "truncated", "calls": 1},
    }
    units = [Unit(name=key, work=lambda row=row: dict(row)) for key, row in rows.items()]
    campaign.results.work_off(units, until=time.monotonic() + 1e6)
    path = tmp_path / "page.md"
    page.write(campaign, path)
    text = path.read_text(encoding="utf-8")
    assert "Of 1 comparisons 1 were decided" in text
    assert "| plan_type | 1 | 1 | 0 |" in text
    assert f"| plan_type | damaged: {name} | 9/10 | 9/10 | REJECT | it fell | real |" in text
    assert "0 ok, 1 failed, 1 not run this way" in text
    assert "| redline_gate | not run |" in text
    assert "Of 30 cells 3 failed: truncated 3." in text
    assert "plan_type with operators, plan_type with promptbreeder" in text
