"""How alike texts are: exact, and bounded for many and long ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.measures import similarity, text_groups

TEXTS = st.lists(st.text("ab é日", max_size=40), max_size=12)


def grams(text: str) -> set[str]:
    """Return the 4-grams of a text."""
    return {text[start : start + 4] for start in range(len(text) - 3)}


def plainly(one: str, other: str) -> float:
    """Return the Jaccard similarity of two texts, by its definition."""
    either = grams(one) | grams(other)
    return len(grams(one) & grams(other)) / len(either) if either else 0.0


@settings(deadline=None)
@given(TEXTS)
def test_the_similarity_is_that_of_the_definition(texts: list[str]) -> None:
    """For every two texts, whatever their length."""
    grams = similarity.jaccard(text_groups.character_grams(texts))
    assert grams.shape == (len(texts), len(texts))
    pairs = [plainly(one, other) for one in texts for other in texts]
    assert grams.ravel().tolist() == pytest.approx(pairs)


@settings(deadline=None)
@given(TEXTS, st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_the_twins_are_those_of_the_definition(texts: list[str], least: float) -> None:
    """A text with an earlier one that is as alike as asked for, and the most alike of them."""
    similar = similarity.earlier_twins(text_groups.character_grams(texts), least)
    for number, text in enumerate(texts):
        alike = [plainly(text, earlier) for earlier in texts[:number]]
        if alike and grams(text) and max(alike) >= max(least, 1e-9):
            assert alike[similar[number]] == max(alike)
        elif least > 0:
            assert number not in similar


def test_columns_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many n-grams need no more memory than few."""
    texts = [("abcdefghij" * n)[: 40 + n] + str(n) * 9 for n in range(20)]
    whole = similarity.jaccard(text_groups.character_grams(texts))
    monkeypatch.setattr(similarity, "_MOST_WORDS", 300)
    assert similarity.jaccard(text_groups.character_grams(texts)).tolist() == whole.tolist()


def test_of_very_many_texts_the_first_are_compared() -> None:
    """So that the time is bounded."""
    texts = [f"text number {n} of its own, {n * 7919}" for n in range(similarity.MOST_TEXTS + 5)]
    grams = similarity.earlier_twins(text_groups.character_grams([*texts, texts[0]]), 0.99)
    assert grams == {}
