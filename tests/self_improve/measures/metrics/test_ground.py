"""Numbers, references and languages that the plan does not hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.measures.catalogue import catalogue
from tests.self_improve.subjects import marked, subject, use, value

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


IDS = ("9f26e919-0465-4074-bf7a-17cbe43a07d1", "18929eca-0465-4074-bf7a-17cbe43a07d2")


def test_a_record_that_does_not_hold_the_list_loses_no_reference() -> None:
    """Nothing in it has the form of an identifier: the measure is undefined, not 100 %."""
    one = subject([{"id": IDS[0]}], source="The list was in another message, of 9 words.")
    assert value("unresolved_references", one, "id", in_input=True) is None


def test_where_the_record_holds_a_list_every_reference_may_be_lost() -> None:
    """Other identifiers of the same form show that the list is there."""
    one = subject([{"id": IDS[0]}], source=f"Tasks: {IDS[1]}")
    assert value("unresolved_references", one, "id", in_input=True) == 1.0


def test_a_reference_resolves_in_the_plan_that_the_step_was_run_on() -> None:
    """What the record leaves out is read from the artifacts that the rubric names."""
    one = subject([{"id": IDS[0]}, {"id": IDS[1]}], source="no list", snapshot=f"[{IDS[0]}]")
    assert marked("unresolved_references", one, "id", in_input=True) == [IDS[1]]


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


def test_items_in_another_language_of_the_same_script_are_shown() -> None:
    """No language is known: passages of the plan itself say how alike its own language is."""
    items = [{"text": GERMAN_REPLY}, {"text": ENGLISH_REPLY}]
    one = subject(items, source=GERMAN * 2)
    assert value("other_language", one, "text") == 0.5
    assert marked("other_language", one, "text") == [ENGLISH_REPLY]


@pytest.mark.parametrize(
    ("plan_text", "inside", "other"),
    [
        (
            "船で道具を貸す計画です。川沿いの町で会員を集め、冬の間は倉庫に置きます。"
            "会員は毎年、会費を払い、道具を一週間まで借りることができます。"
            "壊れた道具を直すことができる人が二人いて、町は倉庫を三年の間、貸してくれます。"
            "川が凍る冬の間は船を出すことができません。そのため、道具を町の倉庫で貸します。",
            "冬の間も会員は道具を借りることができます。壊れた道具を直す人が倉庫にいます。",
            "我们计划用船出租工具，冬季把它们存放在仓库里，会员每年付费。",
        ),
        (
            "Мы сдаём инструменты с лодки и ищем причалы во всех деревнях вдоль канала. "
            "Те, кто берёт инструменты, возвращают их, когда лодка снова стоит у причала. "
            "Зимой лодка стоит на канале, и инструменты лежат на складе в деревне. ",
            "Зимой инструменты можно брать на складе в деревне, когда лодка стоит у причала.",
            "Ми здаємо знаряддя з човна, тож шукаємо місця у всіх селищах понад річкою цього літа.",
        ),
    ],
)
def test_so_they_are_in_any_script(plan_text: str, inside: str, other: str) -> None:
    """With or without blanks between words."""
    one = subject([{"text": inside}, {"text": other}], source=plan_text)
    assert marked("other_language", one, "text") == [other]


def test_another_script_is_another_language() -> None:
    """Its letters follow each other in no way that the plan knows."""
    greek = "Όποιος νοικιάσει πρώτος ορίζει το ενοίκιο για όλους όσους έρθουν μετά από αυτόν."
    assert value("other_language", subject([{"text": greek}], source=GERMAN * 2), "text") == 1.0


@pytest.mark.parametrize("plan_text", ["", "Ein Boot."])
def test_without_a_plan_no_language_is_another(plan_text: str) -> None:
    """It is undefined, as it is for items that are too short to tell."""
    in_english = subject([{"text": ENGLISH_REPLY}], source=plan_text)
    assert value("other_language", in_english, "text") is None
    assert value("other_language", subject([{"text": "kurz"}], source=GERMAN), "text") is None


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4), st.text(max_size=400))
def test_what_is_said_of_the_plan_stays_in_its_range(texts: list[str], given_plan: str) -> None:
    """Whatever the texts and the plan are."""
    one = subject([{"text": text} for text in texts], source=given_plan)
    for metric in ("other_language", "plan_words"):
        value(metric, one, "text")


def test_items_about_something_else_share_fewer_words_with_the_plan() -> None:
    """As a logarithm: a repeated plan loses nothing, an item without its words loses all."""
    inside = value("plan_words", subject([{"text": GERMAN_REPLY}], source=GERMAN), "text")
    other = value("plan_words", subject([{"text": ENGLISH_REPLY}], source=GERMAN), "text")
    assert inside is not None
    assert other is not None
    assert inside > other + 1
    same = subject([{"text": GERMAN}], source=GERMAN)
    assert value("plan_words", same, "text") == pytest.approx(0.0)
    assert value("plan_words", subject([{"text": GERMAN}], source=""), "text") is None
    assert value("plan_words", subject([], source=GERMAN), "text") is None


def across(*cells: tuple[str, str, list[str]]) -> list[float | None]:
    """Return the share of foreign items of each cell: its plan, its input and its items."""
    metric: Any = catalogue()["foreign_items"]
    how = use("foreign_items", "text")
    subjects = [
        subject([{"text": text} for text in texts], source=plan_text, plan=plan)
        for plan, plan_text, texts in cells
    ]
    gathered = [metric.gather(one, how) for one in subjects]
    plans = [one.plan for one in subjects]
    values: list[float | None] = list(metric.across(plans, gathered, how))
    for one, shares in zip(subjects, values, strict=True):
        shown = [span.text for span in metric.spans(one, plans, gathered, how)]
        assert (len(shown) > 0) == bool(shares)
    return values


CANAL = "We lend tools from a boat on the canal and look for moorings in the villages."
CHOIR = "The choir wants to sing in the hospital at night and needs a warm room."


def test_items_about_another_plan_of_the_run_are_counted() -> None:
    """By the words that only some plans hold; what all plans say says nothing."""
    shares = across(
        ("boat", CANAL, ["A mooring in the villages", "The choir may sing in the hospital"]),
        ("choir", CHOIR, ["A room in the hospital"]),
        ("moor", "The fen is to be wet again.", ["The fen is wet"]),
    )
    assert shares == [0.5, 0.0, 0.0]


def test_one_plan_has_no_other() -> None:
    """Nor has one whose input is not known."""
    assert across(("boat", CANAL, ["a boat"]), ("boat", CANAL, ["tools"])) == [None, None]
    assert across(("boat", CANAL, ["a boat"]), ("choir", "", ["a choir"])) == [None, None]


def test_a_long_plan_does_not_draw_the_items_of_a_short_one() -> None:
    """What all items share with the long plan is taken into account."""
    long_plan = f"{CHOIR} Every week somebody asks who opens, who pays, who cleans and who decides."
    shares = across(
        (
            "boat",
            "A boat with tools.",
            ["Somebody opens the boat every week, and who pays decides"],
        ),
        ("choir", long_plan, ["Somebody opens the room every week, and who pays decides"]),
        ("moor", "The fen is wet.", ["Somebody opens the fen every week, and who pays decides"]),
    )
    assert shares == [0.0, 0.0, 0.0]
