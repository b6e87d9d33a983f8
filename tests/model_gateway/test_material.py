"""Blocks of material: nothing inside one can end it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.material import block, blocks, json_block

PIECES = st.sampled_from(
    ["<", ">", "/", "</", "plan", "PLAN", "<plan>", "</plan>", "</plan >", "</ plan>", "< /plan>",
     "</PLAN>", "</plan\n>", "<plan/>", "</plan x='1'>", "&lt;", "\n", " ", "purpose", "ü", "計画"]
)  # fmt: skip
CONTENT = st.lists(PIECES, max_size=12).map("".join)
TAG = re.compile(r"<\s*/?\s*plan\b[^<>]*>", re.IGNORECASE)


def test_content_stands_between_its_tags() -> None:
    """The tags have lines of their own; space around the content goes."""
    assert block("plan", "  A boat.\n\n") == "<plan>\nA boat.\n</plan>"


@settings(deadline=None, max_examples=300)
@given(CONTENT)
def test_content_can_never_close_its_block(content: str) -> None:
    """Whatever stands in it, a block has one opening tag, its first, and one closing, its last.

    That holds for every way in which a reader might take a tag: with spaces, in capitals, with
    attributes.
    """
    text = block("plan", content)
    assert text.startswith("<plan>\n")
    assert text.endswith("\n</plan>")
    assert [match[0] for match in TAG.finditer(text)] == ["<plan>", "</plan>"]


@settings(deadline=None)
@given(CONTENT)
def test_readable_content_is_kept(content: str) -> None:
    """Only the brackets of such tags change."""
    text = block("plan", content).removeprefix("<plan>\n").removesuffix("\n</plan>")
    assert text.replace("&lt;", "<") == content.strip().replace("&lt;", "<")


def test_other_tags_stay() -> None:
    """Markup that cannot be taken for the block's own is none of our business."""
    content = "<b>bold</b> </purpose> <planet> a < b"
    assert block("plan", content) == f"<plan>\n{content}\n</plan>"


def test_blocks_stand_one_after_the_other() -> None:
    """They come in the order of the keywords."""
    assert blocks(plan="a", purpose="b") == "<plan>\na\n</plan>\n\n<purpose>\nb\n</purpose>"


@settings(deadline=None)
@given(st.lists(CONTENT))
def test_json_inside_a_block_stays_json(values: list[str]) -> None:
    """Tags in strings are made harmless without breaking the JSON."""
    text = json_block("plan", values)
    inside = text.removeprefix("<plan>\n").removesuffix("\n</plan>")
    assert [v.replace("&lt;", "<") for v in json.loads(inside)] == [
        v.replace("&lt;", "<") for v in values
    ]


@pytest.mark.parametrize("value", [{"名": "値"}, ["ü"]])
def test_json_is_shown_in_the_plans_own_letters(value: dict[str, str] | list[str]) -> None:
    """No letter is escaped."""
    assert "\\u" not in json_block("levers", value)
