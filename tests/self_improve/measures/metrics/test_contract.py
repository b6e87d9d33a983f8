"""What the step asked for: counts, fields, whole texts, and nothing left to fill in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rubrics.rubric import Quantity
from tests.self_improve.subjects import lever, marked, rubric, subject, value


@pytest.mark.parametrize(("count", "missing"), [(0, 1.0), (5, 0.5), (10, 0.0), (14, 0.0)])
def test_quantity_is_the_share_that_is_missing(count: int, missing: float) -> None:
    """More than expected is not a shortfall."""
    by = rubric(quantity=Quantity(expected=10))
    assert value("quantity", subject([lever(str(n)) for n in range(count)], by=by)) == missing


def test_quantity_can_count_the_texts_of_fields() -> None:
    """For steps that write one object with lists in it."""
    one = subject([{"risks": ["a", "b"], "aims": ["c"]}])
    assert value("quantity", one, "risks", "aims", expected=6) == 0.5


def test_without_an_expected_number_quantity_is_undefined() -> None:
    """It is not 0."""
    assert value("quantity", subject([lever("Boat")])) is None


def test_a_reply_with_too_few_or_too_many_items_is_counted() -> None:
    """An empty reply is one with too few."""
    replies = [[lever("a")] * 5, [lever("a")] * 8, [], [lever("a")] * 7]
    one = subject([], replies=replies).replies
    assert one is not None
    assert value("reply_count", one, low=5, high=7) == 0.5
    assert marked("reply_count", one, low=5, high=7) == ["8 items", "0 items"]


@pytest.mark.parametrize("empty", [None, "", " \n", [], {}])
def test_a_field_without_content_is_empty(empty: object) -> None:
    """Null, blanks, and lists and objects with nothing in them; a field that is not there too."""
    items = [{"name": "Boat", "review": empty}, {"name": "Mooring"}]
    assert value("empty_fields", subject(items), "name", "review") == 0.5


@pytest.mark.parametrize("full", [0, False, "x", ["x"], {"a": None}])
def test_a_field_with_a_value_is_not_empty(full: object) -> None:
    """A number that is 0 and a choice of "no" are answers."""
    assert value("empty_fields", subject([{"name": full}]), "name") == 0.0


def test_required_fields_are_the_rubrics_unless_the_use_names_some() -> None:
    """So that replies, whose fields have other names, can have their own."""
    by = rubric(quantity=Quantity(required=("name", "review")))
    assert value("empty_fields", subject([{"name": "Boat"}], by=by)) == 0.5
    assert value("empty_fields", subject([{"name": "Boat"}], by=by), "name") == 0.0


def test_a_list_of_another_length_breaks_the_contract() -> None:
    """So does a list that is missing."""
    items = [{"options": ["a", "b", "c"]}, {"options": ["a"]}, {}, {"options": ["a"] * 3}]
    assert value("list_length", subject(items), "options", length=3) == 0.5
    assert marked("list_length", subject(items), "options", length=3) == [
        "1 in place of 3", "0 in place of 3",
    ]  # fmt: skip


def test_labels_are_too_short_and_sentences_are_not() -> None:
    """In scripts with and without spaces."""
    texts = [
        "Adaptive hierarchy",
        "Lend the boats by the hour.",
        "船を貸す",
        "船で道具を村人に貸し出す",
    ]
    assert marked("short_texts", subject([{"options": texts}]), "options") == [texts[0], texts[2]]


PLACEHOLDERS = (
    "Controls [Tension A] vs. the rest.",
    "Fill in {specific factor} here.",
    "関係者は【ここに記入】である。",
    "负责人为［姓名］。",
    "〔担当者〕が決める。",
    "Ask <Your Name> about it.",
    "سيقرر [الاسم الكامل] ذلك.",
    "In <Datum einsetzen> beginnt es.",
)
NO_PLACEHOLDERS = (
    "See [1] and [12, 13].",
    "A [link](https://example.org) to it.",
    "An empty box [ ] to tick.",
    "Cost < 40 and gain > 12.",
    "<b>Bold</b> and <br> and <a href='x'>tags</a>.",
    "A set {1, 2, 3}.",
    "Plain text.",
    "[" + "very long " * 9 + "]",
)


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_what_was_left_to_fill_in_is_found_by_its_brackets(text: str) -> None:
    """In any script, because only the form counts."""
    assert value("placeholders", subject([{"text": text}, {"text": "Whole."}]), "text") == 0.5


@pytest.mark.parametrize("text", NO_PLACEHOLDERS)
def test_brackets_with_another_purpose_are_no_placeholders(text: str) -> None:
    """References, links, tags, sets of numbers and long asides."""
    assert value("placeholders", subject([{"text": text}]), "text") == 0.0


WHOLE = [
    "The boats are lent by the hour, and who brings one back late pays for the next hour too.",
    "The boats are lent by the day, and who brings one back late pays for the next day as well.",
    "The boats are given to those who have worked on the towpath for at least one whole summer.",
]


@pytest.mark.parametrize("end", [" and then the", ",", " –", " (", "...", "…", ":", "、", "،"])
def test_a_text_that_breaks_off_is_found_by_its_end(end: str) -> None:
    """A mark that announces more, or a letter where the others end a sentence."""
    items = [{"text": text} for text in [*WHOLE, WHOLE[0][:-1] + end]]
    assert marked("truncation", subject(items), "text") == [items[-1]["text"]]


@pytest.mark.parametrize("end", [".", "!", "?", "。", "؟", "।", ")", "”", "»", "%"])
def test_a_text_with_an_end_is_whole(end: str) -> None:
    """Marks of other scripts and closing brackets end it as well."""
    items = [{"text": text} for text in [*WHOLE, WHOLE[0][:-1] + end]]
    assert value("truncation", subject(items), "text") == 0.0


def test_where_texts_end_without_a_mark_a_letter_ends_one() -> None:
    """As in Thai, which has none, and in lists of keywords."""
    texts = ["ยืมเครื่องมือทางเรือในคลองแห่งนี้ทุกวันตลอดปี"] * 3 + [WHOLE[0]]
    assert value("truncation", subject([{"text": t} for t in texts]), "text") == 0.0


LABELS = {
    "English": ["Option A: lend boats", "Option B: sell boats", "Option C: burn boats"],
    "numbers": ["1. Lend boats", "2. Sell boats", "3. Burn boats"],
    "letters": ["a) Lend boats", "b) Sell boats", "c) Burn boats"],
    "circles": ["①、船を貸す", "②、船を売る", "③、船を焼く"],
    "Chinese": ["方案一：出租船只", "方案二：出售船只", "方案三：烧毁船只"],
    "Japanese": ["選択肢１：船を貸す", "選択肢２：船を売る", "選択肢３：船を焼く"],
    "Arabic": ["الخيار أ: تأجير القوارب", "الخيار ب: بيع القوارب", "الخيار ج: حرق القوارب"],
    "Russian": ["Вариант 1: сдавать", "Вариант 2: продать", "Вариант 3: сжечь"],
    "German, written out": ["Weg eins: leihen", "Weg zwei: kaufen", "Weg drei: lassen"],
    "bold": ["**Option A:** lend", "**Option B:** sell", "**Option C:** burn"],
    "the same each time": ["Strategy: lend", "Strategy: sell", "Strategy: burn"],
}
NO_LABELS = (
    ["Lend boats: by the hour", "Sell them: to the village", "Burn what is left: at midsummer"],
    ["Lend the boats.", "Sell the boats.", "Burn the boats."],
    ["船を貸す", "船を売る", "船を焼く"],
    ["In 2026, lend the boats", "In 2027, sell the boats"],
    ["Option A: only one has a label", "Sell the boats", "Burn the boats"],
)


@pytest.mark.parametrize("kind", LABELS)
def test_labels_that_leak_are_found_by_their_form(kind: str) -> None:
    """A short beginning that is the same in all texts of a list but for a counter."""
    one = subject([{"options": LABELS[kind]}, {"options": ["Lend", "Sell"]}])
    assert value("leaked_labels", one, "options") == 0.6


@pytest.mark.parametrize("options", NO_LABELS)
def test_beginnings_of_their_own_are_no_labels(options: list[str]) -> None:
    """Even where a colon follows."""
    assert value("leaked_labels", subject([{"options": options}]), "options") == 0.0


def test_labels_leak_across_the_items_of_a_field_too() -> None:
    """A field that is not a list is compared over all items."""
    items = [{"review": "Review: fair"}, {"review": "Review: unfair"}, {"review": "Neither"}]
    assert value("leaked_labels", subject(items), "review") == pytest.approx(2 / 3)


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=8))
def test_every_share_of_texts_stays_in_its_range(texts: list[str]) -> None:
    """Whatever the texts are; without texts it is undefined."""
    one = subject([{"options": texts}])
    for metric in ("leaked_labels", "placeholders", "truncation", "short_texts"):
        result = value(metric, one, "options")
        assert (result is None) == all(not text or text.isspace() for text in texts)


def test_texts_of_an_unusual_length_are_shown() -> None:
    """Cut, padded or blank beside others that are not; blank ones count but do not set the rule."""
    texts = ["x" * 100, "x" * 110, "x" * 90, "x" * 40, "x" * 300, ""]
    one = subject([{"text": text} for text in texts])
    assert value("uneven_lengths", one, "text") == 0.5
    assert value("uneven_lengths", one, "text", times=4.0) == pytest.approx(1 / 6)


def test_what_is_said_again_is_shown() -> None:
    """In a loop, or all of it twice, in any script; a refrain in a long text is none."""
    said = "The harbour rents the berth to whoever comes first in spring"
    looped = said + " and then it waits" * 30
    refrain = f"{said}. Nobody else may moor there before the ice is gone. The harbour rents again."
    one = subject([{"a": said, "b": refrain}, {"a": f"{said} {said}"}, {"a": "", "b": looped}])
    assert value("repeated_phrases", one, "a", "b") == pytest.approx(2 / 3)
    assert value("repeated_phrases", one, "a") == 0.5
    assert value("repeated_phrases", subject([{"a": "港口租给先来的人" * 2}]), "a") == 1
    assert value("repeated_phrases", subject([{"a": ""}]), "a") is None


def test_few_texts_have_no_usual_length() -> None:
    """It is undefined; so it is when nothing is said at all."""
    assert value("uneven_lengths", subject([{"text": "a"}, {"text": "b" * 90}]), "text") is None
    assert value("uneven_lengths", subject([{"text": ""}] * 5), "text") is None
    assert value("uneven_lengths", subject([]), "text") is None


def test_the_texts_of_an_item_can_count_as_one() -> None:
    """A short text beside a long one is even then; an item that was cut is not."""
    items = [{"a": "x" * 10, "b": "y" * 90}, {"a": "x" * 90, "b": "y" * 10}] * 3
    assert value("uneven_lengths", subject(items), "a", "b", together=True) == 0
    assert value("uneven_lengths", subject(items), "a", "b") == 1
    cut = [*items, {"a": "x" * 5, "b": "y" * 20}]
    assert value("uneven_lengths", subject(cut), "a", "b", together=True) == pytest.approx(1 / 7)
