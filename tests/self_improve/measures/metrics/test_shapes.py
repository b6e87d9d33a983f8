"""Spread: of words, of classes, of constant texts, and what a step keeps of its replies."""

from __future__ import annotations

import pytest

from tests.self_improve.subjects import lever, marked, subject, value


def test_distinct_bigrams_are_counted_over_all_pairs() -> None:
    """Of four pairs three are different; no pair reaches into the next text."""
    items = [{"text": "lend a boat"}, {"text": "a boat sinks"}]
    assert value("distinct_bigrams", subject(items), "text") == 0.75


def test_a_text_of_one_word_has_no_pairs() -> None:
    """Then it is undefined."""
    assert value("distinct_bigrams", subject([{"text": "boat"}]), "text") is None


@pytest.mark.parametrize(
    ("classes", "entropy"),
    [
        (["keep"] * 6, 0.0),
        (["keep", "absorb", "remove"] * 2, 1.0),
        (["behalten", "Behalten", "streichen", "streichen"], 0.6309),
        (["keep", "absorb"], 1.0),
    ],
)
def test_entropy_tells_how_evenly_classes_are_used(classes: list[str], entropy: float) -> None:
    """All alike is 0, all equally often is 1; the names of the classes do not matter."""
    items = [{"class": name} for name in classes]
    assert value("class_entropy", subject(items), "class", classes=3) == pytest.approx(
        entropy, abs=1e-4
    )


def test_one_item_has_no_entropy() -> None:
    """It is undefined."""
    assert value("class_entropy", subject([{"class": "keep"}]), "class") is None


def test_a_text_that_stands_everywhere_is_constant() -> None:
    """Three of four justifications are one; where all differ it is 0."""
    texts = ["Not valued.", "not  valued.", "Not valued.", "It repeats the mooring fee."]
    one = subject([{"text": text} for text in texts])
    assert value("constant_text", one, "text") == 0.75
    assert marked("constant_text", one, "text") == texts[:3]
    assert value("constant_text", subject([{"text": str(n)} for n in range(3)]), "text") == 0.0
    assert value("constant_text", subject([{"text": "a"}] * 2), "text") is None


def test_kept_is_what_is_left_of_the_replies() -> None:
    """Two of four items; undefined where the replies hold none."""
    replies = [[lever("a"), lever("b")], [lever("c"), lever("d")]]
    assert value("kept", subject([lever("a"), lever("b")], replies=replies)) == 0.5
    assert value("kept", subject([lever("a")])) is None
