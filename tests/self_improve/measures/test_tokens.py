"""Text of any script as tokens, n-grams and scripts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from self_improve.measures import text_groups, tokens
from self_improve.measures.text_groups import Group, Pool, Text

SENTENCES = {
    "English": ("Lend tools by boat.", ["lend", "tools", "by", "boat"]),
    "German": ("STRASSE oder Straße?", ["strasse", "oder", "strasse"]),
    "Russian": ("Ёлка, Лодка!", ["ёлка", "лодка"]),
    "Chinese": ("用船借工具。", ["用", "船", "借", "工", "具"]),
    "Japanese": ("ボートで借りる", ["ボ", "ー", "ト", "で", "借", "り", "る"]),
    "Korean": ("배로 빌리다", ["배", "로", "빌", "리", "다"]),
    "Thai": ("ยืมเรือ", ["ยื", "ม", "เ", "รื", "อ"]),
    "Arabic": ("استعر القارِب", ["استعر", "القارِب"]),
    "Hindi": ("नाव में", ["नाव", "में"]),
    "Persian with a joiner": ("می\u200cخواهم برو", ["می\u200cخواهم", "برو"]),
    "full width": ("ＡＢＣ１２", ["abc12"]),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_text_is_split_into_the_tokens_of_its_script(language: str) -> None:
    """Words where words are written apart, characters where they are not, marks kept."""
    text, expected = SENTENCES[language]
    assert tokens.tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "least", "long_enough"),
    [
        ("one two three four", 5, False),
        ("one two three four five", 5, True),
        ("船で道具を貸す", 5, False),
        ("船で道具を村人に貸し出す", 5, True),
        ("ยืมเรือ", 5, False),
        ("빌려 주기", 5, False),
        ("", 1, False),
    ],
)
def test_length_in_words_compares_between_scripts(
    text: str, least: float, *, long_enough: bool
) -> None:
    """A label is short and a sentence is long enough whether or not it is written with spaces."""
    assert Text(text).has_words(least) is long_enough


@settings(deadline=None)
@given(st.text("aB’é½—.²日ไ\u0327 ", max_size=30))
def test_dashes_and_quotation_marks_are_no_letters(text: str) -> None:
    """The quick way, for texts with nothing else beyond ASCII, finds what the pattern finds."""
    plain = tokens.folded(text)
    assert tokens.tokens(text) == tokens._pattern(plain).findall(plain)


@settings(deadline=None)
@given(st.text("ab é½.日ไ", max_size=200), st.floats(0.5, 60))
def test_whether_a_text_is_long_enough_hangs_on_all_of_it(text: str, least: float) -> None:
    """Its beginning is only looked at first, and never makes a short text long."""
    assert Text(text).has_words(least) is (tokens.words(tokens.tokens(text)) >= least)


@given(st.lists(st.integers(0, 20), max_size=30))
def test_different_numbers_are_sorted(numbers: list[int]) -> None:
    """Each of them once."""
    assert text_groups.distinct(np.array(numbers, np.uint64)).tolist() == sorted(set(numbers))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_case_and_width_make_no_difference(text: str) -> None:
    """Upper case and full width give the tokens of the folded text."""
    assert tokens.tokens(tokens.folded(text)) == tokens.tokens(text)


@settings(deadline=None)
@given(st.text(max_size=80), st.integers(0, 20), st.integers(1, 5))
@example("0:0:0¸0", 3, 1)
def test_a_span_holds_the_tokens_it_was_asked_for(text: str, start: int, size: int) -> None:
    """Where the places are known, what stands there has exactly these tokens."""
    spans = tokens.spans(text, start, start + size)
    if spans is not None:
        inside = tokens.tokens(text[spans[0] : spans[1]])
        assert inside == tokens.tokens(text)[start : start + size]


@settings(deadline=None)
@given(st.lists(st.text("ab cd日本", max_size=30), max_size=6), st.integers(1, 4))
def test_n_grams_stay_inside_their_text(texts: list[str], n: int) -> None:
    """They are as many as the tokens of each text allow, and equal exactly where the tokens are."""
    group = Group([Text(text) for text in texts])
    grams = group.grams(n)
    expected = [
        (owner, start, tuple(text.tokens[start : start + n]))
        for owner, text in enumerate(group.texts)
        for start in range(len(text.tokens) - n + 1)
    ]
    assert list(zip(grams.owners.tolist(), grams.starts.tolist(), strict=True)) == [
        (owner, start) for owner, start, _ in expected
    ]
    pairs = itertools.combinations(zip(expected, grams.hashes.tolist(), strict=True), 2)
    assert all((one[0][2] == two[0][2]) == (one[1] == two[1]) for one, two in pairs)


@settings(deadline=None)
@given(st.lists(st.text("ab é日\x00", max_size=20), max_size=6))
def test_character_n_grams_are_those_of_each_text(texts: list[str]) -> None:
    """Each different 4-gram counts once a text; a character of zero is in none."""
    grams = text_groups.character_grams(texts)
    expected = [
        len({text[i : i + 4] for i in range(len(text) - 3) if "\x00" not in text[i : i + 4]})
        for text in texts
    ]
    assert grams.sizes.tolist() == expected


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=200))
def test_the_order_of_hashes_is_a_stable_sort(numbers: list[int]) -> None:
    """Two passes of 16 bits give what one sort of 32 gives."""
    hashes = np.array(numbers, np.uint32)
    expected = np.argsort(hashes, kind="stable")
    assert text_groups._sorting(hashes).tolist() == expected.tolist()


def test_scripts_are_counted_by_letters_alone() -> None:
    """Digits, signs and spaces belong to no script."""
    assert tokens.scripts("Boot 12 %, 船") == {"LATIN": 0.8, "CJK": 0.2}
    assert tokens.scripts("12 %") == {}


def test_scripts_with_rare_letters_are_counted_too() -> None:
    """Letters beyond the common planes do not need a table as large as Unicode."""
    assert tokens.scripts("𠀀𠀁a") == {"CJK": pytest.approx(2 / 3), "LATIN": pytest.approx(1 / 3)}


def test_equal_strings_are_one_text() -> None:
    """What the cleaned form and the replies have in common is read once."""
    pool = Pool()
    assert pool.text("boat") is pool.text("boat")
    texts = [pool.text("boat"), pool.text("oar")]
    assert pool.group(texts) is pool.group(list(texts))
