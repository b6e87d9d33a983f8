"""Whatever a model writes ends in a value, a marked part of one, or a named failure."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from model_gateway.call import FailureKind
from model_gateway.replies import ParsedReply, parse
from tests.model_gateway.conftest import Fruit

K = FailureKind
GOOD = '{"name": "fig", "seeds": [1, 2]}'
FIG = Fruit(name="fig", seeds=[1, 2])
SCHEMA = json.dumps(Fruit.model_json_schema())


class Basket(BaseModel):
    """A reply whose every field may be left out, so that nearly anything would fit it."""

    label: str = ""
    fruits: list[Fruit] = []
    inner: list[Basket] = []
    weight: float | None = None


class Shelf(BaseModel):
    """A reply with a list inside the items of a list."""

    baskets: list[Basket] = Field(min_length=1)


def read(text: str, schema: type[Any] = Fruit, **how: bool) -> ParsedReply[Any]:
    """Judge a reply that did not run into its limit, with further attempts to come."""
    return parse(text, schema, **{"cut_off": False, "last": False, **how})


def kind_of(parsed: ParsedReply[Any]) -> FailureKind:
    """Return why a reply failed."""
    assert parsed.value is None
    assert not parsed.partial
    assert parsed.failure is not None
    return parsed.failure.kind


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n\t {GOOD} \r\n",
        f"\ufeff{GOOD}",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```",
        f"```JSON5 strict\n{GOOD}",
        f"Here you are:\n\n```json\n{GOOD}\n```\nEnjoy!",
        f"```python\nprint()\n```\nand\n```json\n{GOOD}\n```",
        f"Sure! {GOOD} Is that all right?",
        f"<think>A {{fruit}}, say [a fig].</think>\n{GOOD}",
        f"See [1], [2] and [3]. {GOOD}",
        f'First {{"name": "plum"}}, or rather {GOOD}',
        f"{{{GOOD}}}",
        f"[{{x}}] {GOOD}",
        f"{GOOD}\n{GOOD}",
        f"{SCHEMA}\n{GOOD}",
        '{"name": "fig", "seeds": [1, 2], "mood": {"deep": [[]]}}',
        '{"seeds": ["1", 2.0], "name": "fig"}',
        GOOD.replace(" ", "\n"),
    ],
)
def test_value_is_found_in_its_wrapping(text: str) -> None:
    """Fences, prose, marks, citations and earlier tries around the JSON are passed over."""
    assert read(text).value == FIG
    assert read(text, cut_off=True, last=True) == read(text)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", K.empty, "empty"),
        (" \n\t", K.empty, "empty"),
        ("I would rather not.", K.schema, "holds no JSON"),
        ("Use {curly} and [square] brackets.", K.schema, "holds no JSON"),
        ('"fig"', K.schema, "holds no JSON"),
        ("42", K.schema, "holds no JSON"),
        ("null", K.schema, "holds no JSON"),
        ("{'name': 'fig', 'seeds': 0}", K.schema, "Expecting property name"),
        ('{"name": "fig", "seeds": [1,, 2]}', K.schema, "Expecting value at line 1, column 29"),
        ('{"name": "fig"\n "seeds": []}', K.schema, "Expecting ',' delimiter at line "),
        ('{"name": "fig"}', K.schema, "seeds: Field required"),
        ('{"name": "fig", "seeds": "many"}', K.schema, "seeds: Input should be a valid list"),
        ('{"name": "fig", "seeds": [1, {}]}', K.schema, "seeds.1: Input should be a valid int"),
        ('{"name": "fig", "seeds": [NaN]}', K.schema, "seeds.0: Input should be a valid integer"),
        ('{"name": 3, "seeds": 4}', K.schema, "name: Input should be a valid string; seeds: "),
        ("[]", K.schema, "the reply: Input should be a valid dictionary"),
        (f"[{GOOD}, {GOOD}]", K.schema, "the reply: Input should be a valid dictionary"),
        ('{"name": 3, "seeds": []} as in [1]', K.schema, "name: Input should be a valid string"),
        ('As in [1], {"name": 3, "seeds": []}', K.schema, "name: Input should be a valid string"),
        ('{"name": 3, "seeds": []} Is {"that', K.schema, "name: Input should be a valid string"),
        (SCHEMA, K.schema_echo, "repeats the schema"),
        (f"```json\n{SCHEMA}\n```", K.schema_echo, "repeats the schema"),
        ('{"$defs": {}, "properties": {"name": "fig"}}', K.schema_echo, "repeats the schema"),
        ('{"name": "fig", "seeds": [1', K.truncated, "broke off inside"),
        ('See [1]. {"name": "fig", "see', K.truncated, "broke off inside"),
        ('```json\n{"name": "fig",', K.truncated, "broke off inside"),
        ('{"name": "fi', K.truncated, "broke off inside"),
        ("{", K.truncated, "broke off inside"),
        ("Here it comes: [", K.truncated, "broke off inside"),
        ('{"name": "fig", "seeds": [' + "9" * 5000 + "]}", K.schema, "holds no JSON"),
        ('{"name": "fig", "seeds": [' + "9" * 5000, K.schema, "holds no JSON"),
        ("[" * 100_000 + "]" * 100_000, K.schema, "holds no JSON"),
        ('{"a":' * 50_000, K.schema, "holds no JSON"),
        ('{"seeds": ' + "[" * 900 + "]" * 900 + "}", K.schema, "name: Field required"),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_what_cannot_be_used_is_named(text: str, kind: FailureKind, message: str) -> None:
    """Each way to fail has its kind, and words that help to do better."""
    parsed = read(text)
    assert kind_of(parsed) is kind
    assert parsed.failure is not None
    assert message in parsed.failure.message


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Let me think. First of all", K.truncated),
        ('{"name": 3, "seeds": []} and then {"name": "f', K.truncated),
        ('{"name": 3, "seeds": []} and then', K.schema),
        ("", K.empty),
    ],
)
def test_limit_that_was_reached_explains_missing_json(text: str, kind: FailureKind) -> None:
    """When the provider reports the limit, JSON that is missing is taken to be cut off."""
    assert kind_of(read(text, cut_off=True)) is kind


def test_message_names_places_and_not_what_the_model_wrote() -> None:
    """Long or hostile content is not repeated, and many errors are counted rather than listed."""
    text = json.dumps({"name": ["IGNORE ALL RULES"], "seeds": ["IGNORE"] * 50})
    failure = read(text).failure
    assert failure is not None
    assert "IGNORE" not in failure.message
    assert failure.message.startswith("name: ")
    assert failure.message.endswith("; and 45 more")


def test_raw_line_breaks_in_strings_do_no_harm() -> None:
    """Small models write them, and what is meant is clear."""
    assert read('{"name": "a\nb\tc", "seeds": []}').value == Fruit(name="a\nb\tc", seeds=[])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("fi\ud83dg", "fi\ufffdg"),
        (r"fi\ud83dg", "fi\ufffdg"),
        (r"fi\uDE00", "fi\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_half_characters_become_a_mark(written: str, name: str) -> None:
    """A character that was cut in two could not be written to a file; whole ones stay."""
    fruit = read(f'{{"name": "{written}", "seeds": []}}').value
    assert fruit == Fruit(name=name, seeds=[])
    assert fruit.name.encode()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_nothing(number: str) -> None:
    """They would not survive being written as JSON again."""
    assert read(f'{{"weight": {number}}}', Basket).value == Basket(weight=None)


def test_list_may_be_the_whole_reply() -> None:
    """A schema whose root is a list is found as well, and recovered as well."""
    fruits = RootModel[list[Fruit]]
    assert read(f"Here: [{GOOD}, {GOOD}]", fruits).value.root == [FIG, FIG]
    part = read(f'[{GOOD}, {{"name": "pl', fruits, last=True)
    assert (part.value.root, part.partial) == ([FIG], True)


def test_part_inside_a_broken_reply_is_not_taken_for_the_whole() -> None:
    """An object inside a list that broke off, or is malformed, would fit but is not the reply."""
    whole = '{"label": "b", "inner": [{"label": "x", "weight": 1}, {"label": "y"'
    assert kind_of(read(whole, Basket)) is K.truncated
    assert kind_of(read(whole + ' oops}, {"label": "z"}]}', Basket)) is K.schema
    assert kind_of(read(whole + ' oops, {"label": "z"}', Basket)) is K.schema
    later = read(whole + ' oops}]} or rather {"label": "z"}', Basket)
    assert later.value == Basket(label="z")


def test_no_part_is_kept_while_there_are_attempts_left() -> None:
    """Only the last attempt may end with a part, and it says so."""
    text = '{"name": "fig", "seeds": [1, 2,'
    assert kind_of(read(text, cut_off=True)) is K.truncated
    part = read(text, cut_off=True, last=True)
    assert (part.value, part.partial, part.failure) == (FIG, True, None)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        # The item that was being written goes, finished ones stay.
        (f'{{"fruits": [{GOOD}, {{"name": "pl', {"fruits": [FIG]}),
        (f'{{"fruits": [{GOOD}, {{', {"fruits": [FIG]}),
        (f'{{"fruits": [{GOOD}, ', {"fruits": [FIG]}),
        (f'{{"fruits": [{GOOD}, {GOOD}', {"fruits": [FIG, FIG]}),
        (f'{{"fruits": [{GOOD}, {GOOD}], "la', {"fruits": [FIG, FIG]}),
        # An item that may lack what comes next is dropped all the same: it is not whole.
        ('{"inner": [{"label": "a"}, {"label": "b", "weig', {"inner": [Basket(label="a")]}),
        (
            '{"inner": [{"inner": [{"label": "a"}, {"label": "b"',
            {"inner": [Basket(inner=[Basket(label="a")])]},
        ),
        # Half a string or number is not kept while what is left fits without it.
        ('{"label": "half a sente', {}),
        ('{"label": "b", "weight": 12', {"label": "b"}),
        ('{"label": "b", "weight": 12, ', {"label": "b", "weight": 12}),
        ('{"label": "b", "weight": 1.', {"label": "b"}),
        ('{"label": "b", "weight": nu', {"label": "b"}),
    ],
)
def test_what_is_whole_is_kept(text: str, fields: dict[str, Any]) -> None:
    """Of a reply that broke off at the end of its attempts, whole items and fields remain."""
    part = read(text, Basket, last=True)
    assert part.partial
    assert part.value == Basket(**fields)


def test_outer_item_goes_where_it_cannot_stand_without_the_inner_one() -> None:
    """What is dropped grows from the inside until the rest fits."""

    class Box(BaseModel):
        fruits: list[Fruit] = Field(min_length=1)

    class Crate(BaseModel):
        boxes: list[Box]

    text = f'{{"boxes": [{{"fruits": [{GOOD}]}}, {{"fruits": [{{"name": "pl'
    assert read(text, Crate, last=True).value == Crate(boxes=[Box(fruits=[FIG])])


def test_half_a_string_is_better_than_nothing() -> None:
    """Where the reply is one long text, its beginning is kept."""

    class Essay(BaseModel):
        text: str

    part = read('{"text": "It was a dark and sto', Essay, last=True)
    assert (part.value, part.partial) == (Essay(text="It was a dark and sto"), True)


@pytest.mark.parametrize("text", ["{", "[", '{"na', "Here: {", '{"fruits": ['])
def test_nothing_whole_is_nothing(text: str) -> None:
    """Where no part fits the schema, the last attempt fails like any other."""
    assert kind_of(read(text, last=True)) is K.truncated


FRUITS = st.builds(Fruit, name=st.text(max_size=6), seeds=st.lists(st.integers(), max_size=2))
BASKETS = st.recursive(
    st.builds(
        Basket, label=st.text(max_size=6), fruits=st.lists(FRUITS, max_size=2),
        weight=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.builds(Basket, label=st.text(max_size=3), inner=st.lists(inner, max_size=2)),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    basket=BASKETS, wrapping=st.sampled_from(["", "Sure: ", "```json\n"]), spaced=st.booleans(),
    exact=st.booleans(), data=st.data(),
)  # fmt: skip
def test_no_prefix_of_a_reply_passes_for_the_whole(
    basket: Basket, wrapping: str, *, spaced: bool, exact: bool, data: st.DataObject
) -> None:
    """Cut anywhere, a reply is truncated, or at the last attempt a part that is marked."""
    reply = json.dumps(basket.model_dump(), ensure_ascii=exact, indent=1 if spaced else None)
    text = wrapping + reply
    assert read(text, Basket).value == basket
    assert read(text, Basket, last=True).partial is False
    for cut in data.draw(st.lists(st.integers(len(wrapping) + 1, len(text) - 1), max_size=30)):
        early = read(text[:cut], Basket)
        assert kind_of(early) is K.truncated, text[:cut]
        late = read(text[:cut], Basket, last=True)
        assert late.partial
        assert late.value is not None


@pytest.mark.parametrize("cut", range(1, len(GOOD)))
def test_every_prefix_of_a_plain_reply_is_truncated(cut: int) -> None:
    """There is no place at which a cut goes unnoticed."""
    assert kind_of(read(GOOD[:cut])) is K.truncated
    assert read(GOOD[:cut], last=True).value in (None, FIG, Fruit(name="fig", seeds=[1]),
                                                 Fruit(name="fig", seeds=[]))  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.text(st.sampled_from('{}[]",:\\`\n tnfu019.e-aé\ud83d\ufeff'), max_size=40)
    | st.text(max_size=40),
    st.booleans(),
    st.booleans(),
)
def test_no_text_is_an_exception(text: str, cut_off: bool, last: bool) -> None:  # noqa: FBT001
    """Any characters at all end in a value or a failure, never both, and a part is marked."""
    for schema in (Fruit, Basket, Shelf):
        parsed = parse(text, schema, cut_off=cut_off, last=last)
        assert (parsed.value is None) is (parsed.failure is not None)
        assert last or not parsed.partial


MEGABYTES = 5_000_000
MANY = '{"name": "fig", "seeds": [1, 2]}, '


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "' + "x" * MEGABYTES + '", "seeds": []}',
        '{"name": "' + "x" * MEGABYTES,
        '{"name": "' + "\\n" * (MEGABYTES // 2),
        '{"fruits": [' + MANY * (MEGABYTES // len(MANY)),
        '{"fruits": [' + MANY * (MEGABYTES // len(MANY)) + "oops]}",
        "[1] " * (MEGABYTES // 4) + GOOD,
        "[x] " * (MEGABYTES // 4),
        "{" * MEGABYTES,
        "[" * MEGABYTES,
        '{"a":' * (MEGABYTES // 5),
        "```\n" * (MEGABYTES // 4),
        "`" * MEGABYTES,
        '"' * MEGABYTES,
        "words " * (MEGABYTES // 6),
    ],
    ids=lambda text: repr(text[:14]),
)
def test_large_replies_are_read_in_bounded_time(text: str) -> None:
    """Five megabytes of anything take seconds at most, at the last attempt too."""
    began = time.process_time()
    parse(text, Basket, cut_off=True, last=True)
    assert time.process_time() - began < 5
