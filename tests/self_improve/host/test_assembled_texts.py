"""What modules put together when they are imported is known, with everything it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from self_improve.host import assembled_texts
from tests.self_improve.hosts import loaded

PARTS = """
PART = "A part that others are made of."
OTHER = "Another part, of nothing."
"""
WHOLE = """
from dataclasses import dataclass
from pydantic import BaseModel, Field
from HOST import parts
from HOST.parts import OTHER, PART


def built() -> str:
    return "Built: " + PART


SUM = PART + " And more."
F_STRING = f"{parts.PART} And more."
CALLED = built()
GROWN = "It begins. "
GROWN += PART
TUPLE = (PART, OTHER)
LENGTH = len(PART)
if LENGTH:
    BRANCH = "In a branch: " + PART
try:
    TRIED = "Tried: " + PART
except ValueError as error:
    TRIED = str(error)

ALIAS = PART
LISTED = [PART, {"inner": PART}]
LITERAL = "It says: A part that others are made of."
UNRELATED = OTHER + "!"
ROUND = []
ROUND.append(ROUND)


class Held:
    TEXT = PART
    MADE = PART.upper()


class Reply(BaseModel):
    said: str = Field(description=PART)
    kept: str = PART
"""
MADE_OF_PART = {
    "SUM", "F_STRING", "CALLED", "GROWN", "TUPLE", "LENGTH", "BRANCH", "TRIED", "Held.MADE",
    "Reply.said", "Reply.kept",
}  # fmt: skip


def test_values_made_of_a_text_are_known(tmp_path: Path) -> None:
    """Sums, f-strings, calls, fields: but not copies that hold the very object, nor look-alikes."""
    with loaded(tmp_path, {"parts": PARTS, "whole": WHOLE}) as host:
        module, text = host["whole"], host["parts"].PART
        assigned = assembled_texts.assignments(module)
        values = list(assembled_texts.values(module.__name__, module, assigned))
        rows = {value.id.split(":")[1] for value in values if value.is_made_of(text)}
    assert rows == MADE_OF_PART
    assert {value.id.split(":")[0] for value in values} == {module.__name__}


@pytest.mark.parametrize("file", [None, "somewhere/compiled.so"])
def test_module_without_source_assigns_nothing(tmp_path: Path, file: str | None) -> None:
    """Compiled and built-in modules are passed over."""
    with loaded(tmp_path, {"parts": PARTS}) as host:
        module = host["parts"]
        module.__file__ = file
        assert assembled_texts.assignments(module) == {}
