"""Patterns that a prompt imposes: openers, n-grams, templates, copies, and fields that repeat."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from self_improve.measures.metrics import template_lock
from self_improve.measures.subject import Subject
from self_improve.measures.tokens import Numbers
from tests.self_improve.subjects import marked, measured, subject, use, value

REVIEWS = [
    "The options fail to consider the moorings.",
    "The options fail to consider the winter.",
    "Whoever pays the lock-keeper is not asked.",
    "Missing is the year in which nobody may steer alone.",
]


def texts(*texts: str) -> list[dict[str, str]]:
    """Return items with one text each."""
    return [{"text": text} for text in texts]


def test_the_commonest_opening_is_found() -> None:
    """Two of four texts begin with the same three tokens."""
    one = subject(texts(*REVIEWS))
    assert value("opener_lock", one, "text") == 0.5
    assert marked("opener_lock", one, "text") == REVIEWS[:2]


def test_openings_are_compared_in_scripts_without_spaces() -> None:
    """There a token is a character."""
    rows = [
        "この案は冬を忘れる。",
        "この案は船を忘れる。",
        "誰が払うのか。",
        "水門番に聞くべきだ。",
    ]
    assert value("opener_lock", subject(texts(*rows)), "text") == 0.5


def test_openings_that_all_differ_are_no_lock() -> None:
    """The least share there can be is 0, not one over the number of texts."""
    assert value("opener_lock", subject(texts(*REVIEWS[1:], "A fourth one of four")), "text") == 0


@pytest.mark.parametrize("metric", ["opener_lock", "commonest_ngram"])
def test_few_texts_have_no_lock(metric: str) -> None:
    """Below four the share says nothing, and is undefined."""
    assert value(metric, subject(texts(*REVIEWS[:3])), "text") is None


def test_the_commonest_n_gram_is_counted_once_a_text() -> None:
    """A text that holds it twice counts once; its places are shown."""
    rows = [*REVIEWS[:3], "Fail to consider, fail to consider: twice."]
    one = subject(texts(*rows))
    assert value("commonest_ngram", one, "text") == 0.75
    assert marked("commonest_ngram", one, "text") == [
        "fail to consider", "fail to consider", "Fail to consider", "fail to consider",
    ]  # fmt: skip


def test_n_grams_that_no_two_texts_share_are_no_lock() -> None:
    """The least share there can be is 0."""
    rows = ["one two three", "four five six", "seven eight nine", "ten eleven twelve"]
    assert value("commonest_ngram", subject(texts(*rows)), "text") == 0.0


LOCK = use("template_lock", "text")


def gathered(subjects: Sequence[Subject]) -> tuple[list[str], list[Numbers]]:
    """Return the plans of a run's cells, and what is held against each other."""
    return [one.plan for one in subjects], [template_lock.gather(one, LOCK) for one in subjects]


def across(*subjects: Subject) -> list[float | None]:
    """Return the template lock of each cell of a run."""
    return list(template_lock.across(*gathered(subjects), LOCK))


def plan(name: str, *result: str) -> Subject:
    """Return the cell of a plan."""
    return subject(texts(*result), plan=name)


def test_what_three_plans_have_in_common_is_a_template() -> None:
    """Half of the 4-grams of the first plan occur in all three."""
    cells = [
        plan("boat", "the options fail to", "boats are lent by"),
        plan("moor", "The options fail to", "grazing is by the"),
        plan("radio", "THE OPTIONS FAIL TO say"),
    ]
    assert across(*cells) == [0.5, 0.5, 0.5]
    spans = template_lock.spans(cells[0], *gathered(cells), LOCK)
    assert [s.text[s.start : s.end] for s in spans] == ["the options fail to"]


def test_repeats_of_one_plan_are_no_further_plans() -> None:
    """Three cells of two plans have no template, and below three plans it is undefined."""
    cells = [plan("boat", "the options fail to")] * 2 + [plan("moor", "the options fail to")]
    assert across(*cells) == [None, None, None]
    assert list(template_lock.spans(cells[0], *gathered(cells), LOCK)) == []
    assert across(*cells, plan("radio", "something else is here")) == [0.0, 0.0, 0.0, 0.0]


def test_a_cell_without_text_has_no_template() -> None:
    """It is undefined there, and the others are measured."""
    cells = [plan("boat"), plan("moor", "the options fail to"), plan("radio", "a b c d")]
    assert [one is None for one in across(*cells)] == [True, False, False]


def test_what_stands_in_the_prompt_and_not_in_the_plan_is_copied() -> None:
    """The example of the prompt counts, words of the plan that the prompt has too do not."""
    prompt = "For example: the reef survey slips past the monsoon. Lend tools on a canal."
    source = "We lend tools on a canal."
    one = subject(
        texts("the reef survey slips", "lend tools on a canal"), prompt=prompt, source=source
    )
    assert value("prompt_copying", one, "text") == pytest.approx(1 / 3)
    assert marked("prompt_copying", one, "text") == ["the reef survey slips"]


def test_copying_is_undefined_without_the_prompt() -> None:
    """Not every record holds it."""
    assert value("prompt_copying", subject(texts(*REVIEWS), prompt=""), "text") is None


def test_a_field_made_of_another_has_bled() -> None:
    """A review that repeats an option counts, one with words of its own does not."""
    option = "Lend the boats by the hour and keep a deposit from everybody who comes."
    items = [
        {"review": option.upper(), "options": ["Sell everything.", option]},
        {"review": REVIEWS[3], "options": [option]},
    ]
    assert value("bleed", subject(items), "review", "options") == 0.5
    assert marked("bleed", subject(items), "review", "options") == [option.upper()]


def test_bleeding_stays_inside_an_item() -> None:
    """What another item says is no matter of this measure."""
    items = [
        {"review": REVIEWS[0], "options": [REVIEWS[1]]},
        {"review": REVIEWS[3], "options": [REVIEWS[0]]},
    ]
    assert value("bleed", subject(items), "review", "options", least=0.9) == 0.0


def test_bleeding_needs_two_fields_with_text() -> None:
    """Without them it is undefined."""
    assert measured("bleed", subject([{"review": "x"}]), "review", "options") is None
    assert measured("bleed", subject([{"review": "x", "options": ["x"]}]), "review") is None
