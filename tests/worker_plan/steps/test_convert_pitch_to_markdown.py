"""Setting the pitch: no fence around it, no part that is empty, no text that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.convert_pitch_to_markdown import ConvertPitchToMarkdown

PITCH = {"pitch": "Bread by boat.", "call_to_action": " ", "metadata": {"model_name": "m"}}


@pytest.mark.parametrize("fence", ["```", "````"])
def test_fence_around_the_text_is_taken_away(tmp_path: Path, fence: str) -> None:
    """Fences inside it stay."""
    inside = "# Bread\n\n```\ncode\n```\n\nMore."
    ask = Scripted(lambda _: {"markdown": f"{fence}markdown\n{inside}\n{fence}"})
    written = carry_out(prepared(ConvertPitchToMarkdown, tmp_path, CreatePitch=PITCH), ask)
    assert written["020-3-pitch.md"] == f"{inside}\n"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("```\na\n```\n\nThen\n\n```\nb\n```", "```\na\n```\n\nThen\n\n```\nb\n```"),
        ("a `b` c", "a `b` c"),
        ("```\na\n```", "a"),
    ],
)
def test_only_the_outermost_fence_is_removed(tmp_path: Path, text: str, content: str) -> None:
    """A text may begin and end with fences of its own."""
    ask = Scripted(lambda _: {"markdown": text})
    written = carry_out(prepared(ConvertPitchToMarkdown, tmp_path, CreatePitch=PITCH), ask)
    assert written["020-3-pitch.md"] == f"{content}\n"


def test_only_parts_that_say_something_are_shown(tmp_path: Path) -> None:
    """Neither empty ones nor what the artifact keeps beside them."""
    ask = Scripted(lambda _: {"markdown": "# Bread"})
    written = carry_out(prepared(ConvertPitchToMarkdown, tmp_path, CreatePitch=PITCH), ask)
    assert "Bread by boat." in ask.sent
    assert "call_to_action" not in ask.calls[0].user
    assert "metadata" not in ask.calls[0].user
    raw = written["020-2-pitch_to_markdown_raw.json"]
    assert json.loads(raw["response_content"]) == {"markdown": "# Bread"}


def test_empty_text_is_a_failure(tmp_path: Path) -> None:
    """A pitch without words would look like one that was never asked for."""
    ask = Scripted(lambda _: {"markdown": "```\n\n```"})
    with pytest.raises(StepError, match="empty text"):
        carry_out(prepared(ConvertPitchToMarkdown, tmp_path, CreatePitch=PITCH), ask)
