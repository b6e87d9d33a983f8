"""Distilled assumptions are single lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.distill_assumptions import DistillAssumptions


def test_each_assumption_is_one_line(run_dir: Path) -> None:
    """Line ends inside it, empty ones and repetitions go."""
    words: list[Any] = ["40 km\nof towpath.", " ", None, "予算は六千万円。", "40 km of towpath."]
    ask = Scripted(lambda _: {"assumption_list": words})
    written = carry_out(prepared(DistillAssumptions, run_dir), ask)
    sentences = ["40 km of towpath.", "予算は六千万円。"]
    assert written[DistillAssumptions.raw.name]["assumption_list"] == sentences
    assert written[DistillAssumptions.markdown.name] == "".join(f"- {one}\n" for one in sentences)


def test_reply_of_empty_texts_is_no_reply(run_dir: Path) -> None:
    """The gateway is to ask again, and in the end the step fails."""
    ask = Scripted(lambda _: {"assumption_list": ["", None, "\n"]})
    with pytest.raises(StepError, match="no usable reply: schema"):
        carry_out(prepared(DistillAssumptions, run_dir), ask)
