"""What is not worth a call is refused by name, and what is plain is mended."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from self_improve.host.templates import Style, TemplateUse
from self_improve.search.admission import Admission, Refused
from tests.self_improve.scripted_search import OTHER, PLAN, START, SURFACE

BASE = {SURFACE: START, OTHER: "A short phrase."}


def admission(**changes: Any) -> Admission:
    """Return the checks of a search on one surface."""
    return Admission(BASE, [SURFACE], **{"longest": 5000, "material": [PLAN], **changes})


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({}, "nothing was proposed"),
        ({SURFACE: " \n"}, "the text is empty"),
        ({SURFACE: "...!?"}, "the text is empty"),
        ({SURFACE: "```\n```"}, "the text is empty"),
        ({OTHER: "x"}, "not searched"),
        ({SURFACE: "Name it.\n```json\n{}\n"}, "not closed"),
        ({SURFACE: "Name\x00 it."}, "control characters"),
        ({SURFACE: "Name \ud800 it."}, "control characters"),
        ({SURFACE: "Name it. " * 20_000}, "too long"),
        ({SURFACE: f"Name berths. {PLAN}"}, "in a row of a plan"),
        ({SURFACE: f"Name berths. {PLAN.upper()}"}, "in a row of a plan"),
    ],
)
def test_useless_proposal_is_refused_by_name(texts: dict[str, str], reason: str) -> None:
    """Each with its own reason."""
    with pytest.raises(Refused, match=reason):
        admission().whole(texts, BASE)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Name all berths.", "Name all berths.\n"),
        ("```\nName all berths.\n```", "Name all berths.\n"),
        ("\n```text\nName all berths.\n```\n\n", "Name all berths.\n"),
        ("Name all berths.\r\nEach once.\r\n", "Name all berths.\nEach once.\n"),
        ("Say so:\n```\nA\n```\nThat is all.", "Say so:\n```\nA\n```\nThat is all.\n"),
    ],
)
def test_text_is_mended_where_its_meaning_is_plain(said: str, meant: str) -> None:
    """The proposer's fence comes off, those of the prompt stay, line ends are the old ones."""
    assert admission().whole({SURFACE: said}, BASE) == {**BASE, SURFACE: meant}


def test_declared_demonstration_may_hold_the_plans_words() -> None:
    """Only its own words are exempt."""
    texts = {SURFACE: f"Name berths. For example: {PLAN}"}
    assert admission().whole(texts, BASE, demonstrations=[f"For example: {PLAN}"])
    with pytest.raises(Refused):
        admission().whole(texts, BASE, demonstrations=["Something else."])


def test_words_of_the_baseline_are_free() -> None:
    """A plan that happens to hold the prompt's words forbids nothing."""
    old = "Give each berth a name that a baker who has never seen it understands at once.\n"
    checks = Admission({SURFACE: old}, [SURFACE], longest=5000, material=[old])
    assert checks.whole({SURFACE: old + "Be brief."}, {SURFACE: old})


def test_rejected_attempt_is_known_again() -> None:
    """However its white space and its case are."""
    checks = admission(rejected=[{SURFACE: "Name all  BERTHS.", OTHER: "A short phrase."}])
    with pytest.raises(Refused, match="rejected by an earlier iteration"):
        checks.whole({SURFACE: "name all berths."}, BASE)


@given(st.text(max_size=200))
def test_any_text_is_admitted_or_refused(text: str) -> None:
    """Nothing a proposer says crashes; what is admitted says something and ends as the old text."""
    try:
        rows = admission().whole({SURFACE: text}, BASE)[SURFACE]
    except Refused:
        return
    assert rows.strip()
    assert rows.endswith("\n")


def test_a_proposal_that_the_code_cannot_fill_in_is_refused() -> None:
    """By the name of the variable; braces of a text that is not filled in are its own."""
    old = "Name the berths of {harbour} with care.\n"
    uses = {SURFACE: [TemplateUse(style=Style.braces, names=("harbour",))]}
    checks = Admission({SURFACE: old}, [SURFACE], longest=5000, templates=uses)
    with pytest.raises(Refused, match=r"drops the variable \{harbour\}"):
        checks.whole({SURFACE: "Name every berth."}, {SURFACE: old})
    assert checks.whole({SURFACE: "Name every berth of {harbour}."}, {SURFACE: old})
    plain = Admission({SURFACE: old}, [SURFACE], longest=5000)
    assert plain.whole({SURFACE: 'Name berths: {"a": 1}'}, {SURFACE: old})


def test_a_proposal_that_differs_by_blanks_only_is_refused() -> None:
    """Nothing is asked of a model about them."""
    old = "Name the berths.\nBe brief.\n"
    checks = Admission({SURFACE: old}, [SURFACE], longest=5000)
    with pytest.raises(Refused, match="blanks only"):
        checks.whole({SURFACE: "Name  the berths.\n\nBe brief."}, {SURFACE: old})
    assert checks.whole({SURFACE: "Name the berths.\nBe brief!"}, {SURFACE: old})
