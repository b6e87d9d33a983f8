"""Headings with labelled facts, and sections of which some may be empty."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from model_gateway.call import Reply
from worker_plan.entry import cut_off, entry, sections
from worker_plan.errors import StepError

WHOLE: Reply[BaseModel] = Reply(value=None, text="", model="scripted")
BROKEN: Reply[BaseModel] = Reply(value=None, text="", model="scripted", partial=True)


def test_facts_stand_beside_or_below_their_labels() -> None:
    """A text stands on the line of its label, several are listed, and empty ones are left out."""
    lines = entry(
        "1. The\noven", {"Why": "It\nbakes.", "Who": " ", "How": ["Hot", " "], "When": []}
    )
    assert "\n".join(lines) == "## 1. The oven\n\n**Why:** It bakes.\n\n**How:**\n\n- Hot\n"


def test_model_text_makes_no_headings_of_its_own() -> None:
    """A line of a reply that looks like a heading stays inside its fact."""
    assert not [x for x in entry("Oven", {"Why": "Heat\n# Bread"}) if x.startswith("# ")]


def test_empty_sections_are_marked() -> None:
    """What came is shown; what did not is named in front."""
    text = sections(WHOLE, {"Good": ["Bread"], "Bad": [" "], "Sum": "Eat."})
    assert text.startswith("> **Incomplete.** The model gave nothing usable for: Bad.\n")
    assert "## Good\n\n- Bread\n\n## Sum\n\nEat.\n" in text
    assert "## Bad" not in text


def test_nothing_in_any_section_is_a_failure() -> None:
    """A text without content would look like a finished one."""
    with pytest.raises(StepError, match="scripted gave a reply without content"):
        sections(WHOLE, {"Good": [], "Sum": " "})


def test_reply_that_broke_off_is_marked() -> None:
    """Even if every section has something, the end may be missing."""
    assert cut_off(WHOLE) == []
    assert "broke off" in sections(BROKEN, {"Good": ["Bread"]}).splitlines()[0]
