"""Numbers, references and languages that the plan does not hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self_improve.subjects import marked, subject, value

PLAN = "A canal of 40 km with 1.500 boats, 12,5 % of them old, ۳۰٪ new, and a budget of 2,000,000."


def percentages(text: str) -> list[str]:
    """Return the ungrounded percentages of a text."""
    return marked("ungrounded_percentages", subject([{"text": text}], source=PLAN), "text")


@pytest.mark.parametrize(
    "text", ["Growth of 25%.", "Growth of 25 %.", "%25 growth", "٪٢٥", "２５％の成長", "२५% वृद्धि"]
)
def test_a_percentage_the_plan_has_not_is_found(text: str) -> None:
    """In digits of any script, with the sign on either side."""
    assert len(percentages(text)) == 1


@pytest.mark.parametrize("text", ["12.5 % are old", "30% are new", "%30", "٪٣٠", "１２．５％"])
def test_a_percentage_the_plan_has_is_grounded(text: str) -> None:
    """However it is written."""
    assert percentages(text) == []


def test_a_plain_number_of_the_plan_grounds_a_percentage() -> None:
    """Whether it is the same figure is beyond a count; the doubt goes to the model."""
    assert percentages("40% of the way") == []


def test_percentages_are_counted_per_item() -> None:
    """Three in two items."""
    items = [{"text": "71% and 72%"}, {"text": "73 %"}]
    assert value("ungrounded_percentages", subject(items, source=PLAN), "text") == 1.5


def test_a_percent_sign_belongs_to_a_number_of_its_own_text() -> None:
    """One that begins the next text does not."""
    items = [{"text": ["we pay 71", "% is a sign"]}]
    assert value("ungrounded_percentages", subject(items, source=PLAN), "text") == 0.0


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("1500 boats, 1,500 boats, 1\u202f500 boats, 1'500", []),
        ("2000000 in all, 2.000.000", []),
        ("39 km", ["39"]),
        ("9 locks and 3 gates", []),
        ("in 2027", ["2027"]),
        ("12.50 of them", []),
        ("0.5 of them", ["0.5"]),
    ],
)
def test_numbers_are_compared_by_what_they_may_mean(text: str, texts: list[str]) -> None:
    """Marks between digits group thousands or begin decimals; small counts are left out."""
    one = subject([{"text": text}], source=PLAN)
    assert marked("ungrounded_numbers", one, "text") == texts


@settings(deadline=None)
@given(st.text("0123456789.,' %", max_size=40))
def test_a_text_is_grounded_in_itself(text: str) -> None:
    """No number of the plan is ever ungrounded."""
    if text.strip():
        one = subject([{"text": text}], source=text)
        assert value("ungrounded_numbers", one, "text", least=0) == 0.0


@pytest.mark.parametrize("metric", ["ungrounded_percentages", "ungrounded_numbers"])
def test_without_the_input_nothing_is_ungrounded(metric: str) -> None:
    """It is undefined, as it is without items."""
    assert value(metric, subject([{"text": "71%"}], source=""), "text") is None
    assert value(metric, subject([]), "text") is None


def test_a_reference_resolves_to_what_another_item_is_called() -> None:
    """Case and spacing make no difference; numbers are compared as well."""
    items = [
        {"id": "A1", "needs": ["b2 ", "A9"]},
        {"id": "B2", "needs": []},
        {"id": 3, "needs": [3]},
    ]
    one = subject(items)
    assert value("unresolved_references", one, "needs", to=["id"]) == pytest.approx(1 / 3)
    assert marked("unresolved_references", one, "needs", to=["id"]) == ["a9"]


def test_a_reference_can_resolve_in_what_was_sent() -> None:
    """An id that the prompt gave, and one that was made up."""
    one = subject([{"id": "lever-7"}, {"id": "lever-8"}], source="Levers: lever-7")
    assert marked("unresolved_references", one, "id", in_input=True) == ["lever-8"]


def test_without_references_none_is_lost() -> None:
    """It is undefined, as it is where the input is not known."""
    assert value("unresolved_references", subject([{"id": None}]), "id", to=["id"]) is None
    one = subject([{"id": "x"}], source="")
    assert value("unresolved_references", one, "id", in_input=True) is None


GERMAN = (
    "Wir verleihen Werkzeug vom Boot aus und suchen dafür Liegeplätze in allen Dörfern am Kanal. "
    "Die Mieter bringen das Werkzeug zurück, wenn das Boot in der nächsten Woche wieder anlegt. "
)
GERMAN_REPLY = (
    "Wer zuerst einen Platz mietet, legt die Miete für alle fest, die später noch kommen werden. "
    "Die Wochen ohne Boot sind nicht bedacht, und niemand sagt, wer dann das Werkzeug annimmt. "
)
ENGLISH_REPLY = (
    "Whoever rents the first mooring sets the rent for all those who come along after that time. "
    "The weeks without the boat are not considered, and nobody says who takes back the tools. "
)


def test_a_reply_in_the_plans_language_is_more_alike_than_one_in_another() -> None:
    """Both are written in the same script, so only the sequences of letters can tell."""
    same_language = value(
        "language_match", subject([{"text": GERMAN_REPLY * 2}], source=GERMAN * 2), "text"
    )
    other = value(
        "language_match", subject([{"text": ENGLISH_REPLY * 2}], source=GERMAN * 2), "text"
    )
    assert same_language is not None
    assert other is not None
    assert same_language > other + 0.1


@pytest.mark.parametrize(
    ("reply", "source"),
    [
        ("短い", GERMAN * 2),
        (GERMAN_REPLY * 2, "船で道具を貸す計画です。" * 30),
        ("kurz", GERMAN * 2),
    ],
)
def test_languages_are_compared_inside_one_alphabet_only(reply: str, source: str) -> None:
    """Elsewhere the script decides; and short texts tell nothing."""
    assert value("language_match", subject([{"text": reply}], source=source), "text") is None


def test_the_script_of_a_reply_is_compared_with_the_plans() -> None:
    """Latin letters on a Japanese plan match nothing, and the text is shown."""
    source = "船で道具を貸す計画です。"
    assert value("script_match", subject([{"text": source}], source=source), "text") == 1.0
    one = subject([{"text": "道具を貸す船。"}, {"text": "A loan of tools"}], source=source)
    assert (value("script_match", one, "text") or 1.0) < 0.5
    assert marked("script_match", one, "text") == ["A loan of tools"]


def test_a_script_match_needs_letters() -> None:
    """It is undefined without."""
    assert value("script_match", subject([{"text": "12 %"}]), "text") is None
    assert value("script_match", subject([{"text": "Boot"}], source="12"), "text") is None
