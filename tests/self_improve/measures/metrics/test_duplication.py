"""Items that repeat each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self_improve.subjects import lever, marked, subject, value

LONG = "Whoever signs the first lease sets the rent for all who come later on the canal."
NAMES = st.lists(
    st.sampled_from(["Boat", "boat", "ＢＯＡＴ", "Mooring", "料金", "Fee!"]), min_size=2
)


def test_a_name_that_came_before_is_a_duplicate() -> None:
    """Case, width and signs make no difference."""
    items = [lever("Boat fee"), lever("boat  fee."), lever("ＢＯＡＴ ＦＥＥ"), lever("Mooring")]
    assert value("duplicate_names", subject(items)) == 0.5
    assert marked("duplicate_names", subject(items)) == ["boat  fee.", "ＢＯＡＴ ＦＥＥ"]


def test_names_of_signs_alone_stay_distinct() -> None:
    """What has no token is compared as it stands."""
    assert value("duplicate_names", subject([lever("???"), lever("!!!"), lever("???")])) == 1 / 3


@settings(deadline=None)
@given(NAMES)
def test_duplicates_do_not_depend_on_the_order(names: list[str]) -> None:
    """Reversed items have the same share."""
    items = [lever(name) for name in names]
    assert value("duplicate_names", subject(items)) == value(
        "duplicate_names", subject(items[::-1])
    )


@pytest.mark.parametrize("items", [[], [lever("Boat")]])
def test_duplicates_need_two_names(items: list[dict[str, str]]) -> None:
    """Below that the share is undefined."""
    assert value("duplicate_names", subject(items)) is None
    assert value("near_duplicates", subject(items), "review") is None


def test_a_text_that_nearly_repeats_an_earlier_one_is_found() -> None:
    """A changed word does not hide it, and a text of its own is left alone."""
    texts = [LONG, LONG.replace("rent", "price"), "Rehearsal rooms that cost little, and noise."]
    items = [{"text": text} for text in texts]
    assert value("near_duplicates", subject(items), "text") == pytest.approx(1 / 3)
    assert marked("near_duplicates", subject(items), "text") == [texts[1]]


@pytest.mark.parametrize(
    "text",
    [
        "誰が最初に賃貸契約を結ぶかによって、後から来るすべての人の家賃が決まる。",
        "من يوقع العقد الأول يحدد الإيجار لجميع من يأتون بعده.",
        "ผู้ที่ลงนามในสัญญาเช่าฉบับแรกเป็นผู้กำหนดค่าเช่าสำหรับผู้ที่มาทีหลัง",
    ],
)
def test_near_duplicates_are_found_in_every_script(text: str) -> None:
    """A text with its first character taken away is like the whole one."""
    items = [{"text": text}, {"text": text[1:]}]
    assert value("near_duplicates", subject(items), "text") == 0.5


def test_the_threshold_of_near_duplicates_is_a_setting() -> None:
    """At 1 only equal sets of n-grams count."""
    items = [{"text": LONG}, {"text": LONG.replace("rent", "price")}, {"text": LONG.upper()}]
    assert value("near_duplicates", subject(items), "text", least=1.0) == pytest.approx(1 / 3)


def test_names_are_compared_across_replies_and_not_inside_one() -> None:
    """Of the two items of the second reply one has a name that the first gave."""
    replies = [[lever("Boat fee"), lever("Boat fee")], [lever("boat fee!"), lever("Mooring")]]
    one = subject([], replies=replies).replies
    assert one is not None
    assert value("cross_call_names", one, "name") == 0.5
    assert marked("cross_call_names", one, "name") == ["boat fee!"]


def test_one_reply_has_nothing_to_repeat() -> None:
    """The share is undefined."""
    one = subject([], replies=[[lever("Boat"), lever("Boat")]]).replies
    assert one is not None
    assert value("cross_call_names", one, "name") is None
