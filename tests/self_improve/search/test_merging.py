"""Changes of one text come together where they do not meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from self_improve.search.merging import merged

TEXT = st.lists(
    st.sampled_from(["Go. ", "Stay. ", "Why? ", "- Moor.\n", "> Quay.\n"]), max_size=6
).map("".join)


@given(base=TEXT, one=TEXT)
def test_one_change_is_that_text(base: str, one: str) -> None:
    """Alone it is taken whole; what changes nothing is not held."""
    assert merged(base, [one]) == (one, [0] if one != base else [])


@given(base=TEXT, one=TEXT, two=TEXT)
def test_what_is_left_out_is_not_there(base: str, one: str, two: str) -> None:
    """The first always wins; with the second left out nothing of it is in the text."""
    text, base_of = merged(base, [one, two])
    assert base_of[:1] == ([0] if one != base else base_of[:1])
    if 1 not in base_of:
        assert text == one


def test_changes_apart_come_together() -> None:
    """In other scripts as well, whichever comes first; one of them drops a sentence."""
    base = "名前を付けて。理由を言って。短く。\n"
    one, two = "名前を三つ付けて。理由を言って。短く。\n", "名前を付けて。理由を言って。\n"
    both = ("名前を三つ付けて。理由を言って。\n", [0, 1])
    assert merged(base, [one, two]) == both
    assert merged(base, [two, one]) == both


def test_changes_that_meet_are_not_mixed() -> None:
    """Two ways to say one sentence, two additions at one place, an addition to what is dropped."""
    base = "Name it. Give a reason. Be brief.\n"
    for one, two in (
        ("Name it. Give two. Be brief.\n", "Name it. Give none. Be brief.\n"),
        (f"{base}Once.\n", f"{base}Twice.\n"),
        ("Be brief.\n", "Name it. Or not. Give a reason. Be brief.\n"),
    ):
        assert merged(base, [one, two]) == (one, [0])
        assert merged(base, [two, one]) == (two, [0])


def test_third_change_is_taken_where_the_second_is_not() -> None:
    """Each is looked at against those that were taken."""
    base = "Name it. Give a reason. Be brief.\n"
    texts = [base.replace("it", "them"), base.replace("it", "all"), base.replace("brief", "long")]
    assert merged(base, texts) == ("Name them. Give a reason. Be long.\n", [0, 2])
