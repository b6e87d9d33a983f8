"""What the simulated model reads off a request, part by part."""

from __future__ import annotations

import json
import random

import pytest

from model_gateway.attempt import Message
from model_gateway.providers.simulated import (
    kinds,
    messages,
    numbers,
    pattern,
    prompt,
    records,
    tokens,
)
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.marks import marks
from model_gateway.providers.simulated.prompt import PromptForm, Range
from model_gateway.providers.simulated.sentence_pattern import Pattern, structures
from model_gateway.providers.simulated.shape import Shape, shape_of
from model_gateway.providers.simulated.words import Lexicon
from tests.model_gateway.simulated.plan_texts import ENGLISH
from tests.model_gateway.simulated.shapes import Currencies, Levers

SCHEMA = Levers.model_json_schema()
BARE = {
    **SCHEMA,
    "description": "",
    "$defs": {"Lever": {**SCHEMA["$defs"]["Lever"], "description": ""}},
}
SHAPE = shape_of(BARE)


def form(system: str, user: str = "", *, tagged: bool = True) -> PromptForm:
    """Read a prompt for the levers' shape."""
    return prompt.read(system, user, SHAPE, tagged=tagged)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("5 to 7", 5, 7), ("5\u20137", 5, 7), ("5 bis 7", 5, 7), ("5\u304b\u30897", 5, 7),
     ("\u0665 \u0625\u0644\u0649 \u0667", 5, 7), ("5-7", 5, 7), ("12", 12, 12)],
)  # fmt: skip
def test_ranges_in_any_language(text: str, low: int, high: int) -> None:
    """Two numerals with a dash or a short word between them are one range."""
    numbers = [mark for mark in marks(f"Give {text} of them.") if mark.kind == "number"]
    assert [(mark.low, mark.high) for mark in numbers] == [(low, high)]


def test_separate_numerals_stay_apart() -> None:
    """Falling, distant or comma-parted numerals are two demands."""
    for text in ("7 and 3", "3 options and 5 levers", "5, 7", "2 of 40"):
        assert len([mark for mark in marks(text) if mark.kind == "number"]) == 2


def test_numerals_go_to_the_names_in_their_statement() -> None:
    """Before the name or after it, as the statement begins."""
    read = form("5 to 7 `levers` with 3 `options` each. `name`: 2 to 4 words. At most 9 of all.")
    assert read.asked("levers") == (Range(5, 7),)
    assert read.asked("options") == (Range(3, 3),)
    assert read.asked("name") == (Range(2, 4),)
    assert read.loose == (Range(9, 9),)


def test_clauses_are_counted_and_not_words() -> None:
    """Sentence signs of any script, line ends and list markers part clauses; words do not."""
    assert form("One. Two! Three? Four; five.").clauses == 5
    assert form("- one\n- two\n\n1. three\n2) four").clauses == 4
    assert form("一つ目。二つ目。三つ目").clauses == 3
    assert form("e.g. this and that, i.e. one clause, z.B. here.").clauses == 1
    assert form('Say "A. B. C." in one.').clauses == 1
    assert form("word " * 200).clauses == 1


def test_short_quotes_are_phrases_and_long_ones_examples() -> None:
    """Names of fields and values of the schema are neither."""
    read = form('Never "Golden Rule" or "x", but `name` and "name". "One two three four five."')
    assert read.phrases == {"Golden Rule": 1, "x": 1}
    assert read.examples == {"name": ("One two three four five.",)}


def test_apostrophes_are_no_quotes() -> None:
    """Possessives and contractions open nothing."""
    read = form("The levers' names don't matter, the plan's do. It's 'fine here' though.")
    assert read.phrases == {"fine here": 1}


def test_json_in_a_prompt_is_example_or_schema() -> None:
    """Values under known keys are examples; a schema is remembered, with doubled braces too."""
    sample = json.dumps({"levers": [{"review_lever": "One two three four five six."}]})
    read = form(f"Like this:\n{sample}")
    assert read.examples == {"review_lever": ("One two three four five six.",)}
    schema = json.dumps(Levers.model_json_schema())
    assert form(f"Fill:\n{schema}").schema == Levers.model_json_schema()
    doubled = schema.replace("{", "{{").replace("}", "}}")
    assert form(f"Fill:\n{doubled}\nNow.").schema == Levers.model_json_schema()
    assert form(f"Fill:\n{doubled}\nNow.").clauses == 3


def test_placeholders_and_percents_are_counted() -> None:
    """Square brackets hold placeholders, links and lists do not; any percent sign counts."""
    read = form("Say [who pays] but [not](this) and [1, 2]; a % change, 25% or \uff13\uff10\uff05.")
    assert read.placeholders == ("who pays",)
    assert read.percents == 3


def test_untagged_message_counts_little_as_prompt() -> None:
    """A long plan without a block does not dilute the prompt."""
    assert form("One.", "A b. " * 300, tagged=False).clauses == 11
    assert form("One.", "A b. " * 300).clauses == 301


def test_blocks_are_material_and_the_rest_is_prompt() -> None:
    """Well-formed blocks of the user message are taken out; attributes are kept."""
    parsed = messages.read(
        _messages('Use it. <plan>\nA <b>c</b>\n</plan> <doc id="7">x</doc> <open> y')
    )
    assert [(b.tag, b.text, dict(b.attributes)) for b in parsed.blocks] == [
        ("plan", "A <b>c</b>", {}), ("doc", "x", {"id": "7"}),
    ]  # fmt: skip
    assert "plan" not in parsed.user
    assert "<open> y" in parsed.user
    assert parsed.tagged


def test_blocks_inside_a_block_are_blocks_of_their_own() -> None:
    """A list of documents is its documents."""
    parsed = messages.read(
        _messages('<docs>\n<doc path="a">x</doc>\n<doc path="b">y</doc>\n</docs>')
    )
    assert [block.attributes["path"] for block in parsed.blocks] == ["a", "b"]


def test_complaint_is_no_part_of_the_prompt() -> None:
    """On a retry the gateway's last two messages are left out, and counted as a turn."""
    retry = [*_messages("<plan>a</plan>"), {"role": "assistant", "content": "{"},
            {"role": "user", "content": "Give 9 things."}]  # fmt: skip
    parsed = messages.read(retry, retried=True)
    assert parsed.turns == 1
    assert "9" not in parsed.user


def _messages(user: str) -> list[Message]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": user}]


def test_structures_count_openers_lengths_and_punctuation() -> None:
    """Another opener is worth 0.4, another length and another skeleton 0.3 each."""
    first = Pattern.of("Ask who holds the key, then go.")
    assert structures([]) == 0
    assert structures([first]) == structures([first, first]) == 1
    assert structures([first, Pattern.of("Tell me where one is, and why.")]) == pytest.approx(1.4)
    long = Pattern.of("Why is it that in the whole of this town nobody at all may ring the bell?")
    assert structures([first, long]) == pytest.approx(2.0)


def test_pattern_keeps_opener_ending_and_signs() -> None:
    """The words between are the plan's."""
    example = Pattern.of("This one weighs the rent of halls against quiet, yet misses who cleans.")
    text = example.filled(Lexicon.of(ENGLISH), Draw(1).at(()), 16)
    assert text.startswith("This one weighs ")
    assert text.endswith("who cleans.")
    assert text.count(",") == 1
    slotted = Pattern.of("Controls [one side] against [another side].")
    assert slotted.filled(Lexicon.of(ENGLISH), Draw(1).at(()), 16).startswith("Controls ")
    assert "side" not in slotted.filled(Lexicon.of(ENGLISH), Draw(1).at(()), 16)


@pytest.mark.parametrize("expression", [
    "^[A-Z]{3}$", r"^\d{4}-\d{2}$", "^(low|high)$", "^A[0-9]+x?$", "^[a-c_]{2,4}[.]$", "^(?:ab)+$",
])  # fmt: skip
def test_patterns_of_schemas_are_met(expression: str) -> None:
    """Simple patterns get a string that they find."""
    for seed in range(20):
        text = pattern.matching(expression, Draw(seed).at(()))
        assert text is not None
        assert pattern.fits(text, expression)


def test_difficult_patterns_are_given_up() -> None:
    """What is not simple is left to the words of the plan."""
    assert pattern.matching(r"^(?=a)b(?!c)$", Draw(1).at(())) is None
    assert pattern.fits("x", "([")


def test_numbers_are_sorted_by_what_their_names_say() -> None:
    """Low, middle and high of one thing rise; other numbers stay as they are."""
    values = {
        "days_max": 3,
        "cost_low": 9,
        "days_min": 8,
        "days_realistic": 3,
        "cost_high": 2,
        "n": 1,
    }
    numbers.put_in_order(values, Shape(kind="object"))
    assert values["days_min"] < values["days_realistic"] < values["days_max"]
    assert (values["cost_low"], values["cost_high"], values["n"]) == (2, 9, 1)


def test_number_ranges_come_from_bounds_descriptions_and_names() -> None:
    """The schema's bounds win over two numerals of the description, and these over the name."""
    stream = Draw(1).at(())
    bounded = Shape(kind="integer", low=3, high=4, description="1 to 100")
    described = Shape(kind="integer", description="From 40 to 60.")
    for _ in range(50):
        assert 3 <= numbers.value(bounded, "x", stream) <= 4
        assert 40 <= numbers.value(described, "x", stream) <= 60
        assert 1 <= numbers.value(Shape(kind="integer"), "impact_5", stream) <= 5


def test_identifiers_are_read_as_a_programmer_reads_them() -> None:
    """Plurals and list endings name the element."""
    assert kinds.element_name("depends_on_task_id_list") == "depends_on_task_id"
    assert kinds.element_name("options") == "option"
    assert kinds.element_name("strategies") == "strategy"
    assert kinds.parts_of("leverSettings") == ("lever", "settings")
    assert kinds.is_id("task_id")
    assert not kinds.is_id("valid")


def test_schema_tree_follows_references_and_bounds_recursion() -> None:
    """Optional, constant, map and endless shapes all become trees."""
    tree = shape_of(Currencies.model_json_schema())
    template = tree.property("template")
    assert template is not None
    assert template.nullable
    endless = {"$defs": {"T": {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}}},
               "$ref": "#/$defs/T"}  # fmt: skip
    assert sum(1 for _ in shape_of(endless).walk()) < 20
    assert shape_of({"const": 4}).choices == (4,)
    assert shape_of({"type": ["string", "null"]}).nullable


def test_material_json_is_found_inside_text_as_well() -> None:
    """Objects in the middle of prose are things to refer to; the prose stays prose."""
    block = messages.Block(tag="notes", text='Look:\n[{"task_id": "t-1"}]\nand more words.')
    material = records.read([block])
    assert [r.values for r in material.records] == [{"task_id": "t-1"}]
    assert "more words" in material.prose[0][1]


def test_cutting_respects_the_limit() -> None:
    """A cut text has at most as many tokens as allowed, and is the longest such start."""
    chance = random.Random(3)
    text = "".join(chance.choice("ab 図書館") for _ in range(400))
    for limit in (0, 1, 17, 80):
        cut = tokens.cut(text, limit)
        assert text.startswith(cut)
        assert tokens.count(cut) <= limit < tokens.count(text[: len(cut) + 4])
