"""Single edits change one thing, and climb."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from model_gateway.call import Call
from self_improve.generators.operators import (
    ALL,
    Operators,
    add_example,
    drop,
    loosen,
    reorder,
    shorten,
    swap_example,
    tighten,
)
from self_improve.search.search import best_of
from tests.self_improve.scripted_search import CASES, SURFACE

TEXT = """\
Name 5 to 7 moorings. Say why.

- `name`: in the plan's own words.
- `reason`: whole sentences, and no more than are needed. Keep it short, please.

> The first berth sets the price.

Write in the language of the plan.
"""
RANDOM = random.Random(1)


def silent(role: str, call: Call[Any]) -> Any:
    """A proposer that is never asked."""
    raise AssertionError(role)


@pytest.mark.parametrize("edit", ALL, ids=lambda edit: edit.__name__)
def test_edit_changes_the_text_and_says_how(edit) -> None:
    """Each finds something to do in a prompt of the house's form."""
    text, change = edit(TEXT, RANDOM, "Whoever moors last pays first.")
    assert text != TEXT
    assert text.endswith("\n")
    assert change


@pytest.mark.parametrize("edit", ALL, ids=lambda edit: edit.__name__)
def test_edit_that_finds_nothing_says_so(edit) -> None:
    """A text of one word is left alone."""
    assert edit("名", RANDOM, "") is None


def test_drop_and_shorten_take_away() -> None:
    """One piece goes, the others stay as they are."""
    assert len(drop(TEXT, RANDOM, "")[0]) < len(TEXT)
    assert "Keep it short" not in shorten(TEXT, random.Random(3), "")[0] or "Say why" not in TEXT


def test_reorder_keeps_every_line() -> None:
    """Items change places."""
    text, _ = reorder(TEXT, RANDOM, "")
    assert sorted(text.splitlines()) == sorted(TEXT.splitlines())
    assert text.index("`reason`") < text.index("`name`")


def test_numbers_move_by_one() -> None:
    """Down for tighter, up for looser, never below 1."""
    assert {tighten("Give 3.", RANDOM, "")[0], loosen("Give 3.", RANDOM, "")[0]} == {
        "Give 2.", "Give 4.",
    }  # fmt: skip
    assert tighten("Give 1.", RANDOM, "") is None


def test_examples_are_added_and_swapped() -> None:
    """As a quote of their own, in the place of another one."""
    assert add_example("A.\n", RANDOM, "Ex.")[0] == "A.\n\n> Ex.\n"
    text, _ = swap_example(TEXT, RANDOM, "Ex.")
    assert "> Ex.\n\nWrite" in text
    assert "first berth" not in text


def test_search_climbs_and_ends(search) -> None:
    """Dropping what harms is found, within the budget, the same way each time."""
    start = "Name the moorings. Number 4 is bad. Give a reason for each. Bad is this, too.\n"

    def rule(text: str, _: object) -> float:
        return 1.0 - 0.3 * text.lower().count("bad")

    texts = {SURFACE: start}
    rows = [
        asyncio.run(search(silent, rule, texts=texts, cells=200).run(Operators())) for _ in "ab"
    ]
    best = best_of(rows[0], CASES)
    assert best.score == 1.0
    assert rows[0].cells <= 200
    assert [s.proposal.id for s in rows[0].scored] == [s.proposal.id for s in rows[1].scored]
    assert rows[0].trace == rows[1].trace
