"""What can mean only one thing is mended and marked; everything else stays strict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from model_gateway.call import FailureKind
from model_gateway.replies import Mend, json_in, parse
from tests.model_gateway.conftest import Fruit

GOOD = '{"name": "fig", "seeds": [1, 2]}'
OTHER = '{"name": "plum", "seeds": []}'
FIG = Fruit(name="fig", seeds=[1, 2])
QUOTED = json.dumps(GOOD)


class Note(BaseModel):
    """A reply whose every field may be left out, so that any object fits it."""

    label: str = ""
    kind: str = Field(default="", alias="type")


COMMA, STRING = Mend.trailing_comma, Mend.json_in_string
LIST, KEY = Mend.list_of_one, Mend.wrapper_key


@pytest.mark.parametrize(
    ("text", "mends"),
    [
        ('{"name": "fig", "seeds": [1, 2],}', {COMMA}),
        ('{"name": "fig", "seeds": [1, 2 ,\n],\n}', {COMMA}),
        ('```json\n{"name": "fig", "seeds": [1, 2,]}\n```', {COMMA}),
        ('Sure: {"name": "fig", "seeds": [1, 2,]} as in [1].', {COMMA}),
        (QUOTED, {STRING}),
        (f"\ufeff {QUOTED}\n", {STRING}),
        (json.dumps(QUOTED), {STRING}),
        (f"```json\n{QUOTED}\n```", {STRING}),
        (json.dumps(f"\n{GOOD[:-1]},}}"), {STRING, COMMA}),
        (f"[{GOOD}]", {LIST}),
        (f"```\n[\n{GOOD}\n]\n```", {LIST}),
        (f"[{GOOD},]", {LIST, COMMA}),
        (f'{{"response": {GOOD}}}', {KEY}),
        (f'{{"response": {GOOD}, "status": "ok", "tries": 1, "error": null}}', {KEY}),
        (f'{{"data": {{"fruit": {GOOD}}}}}', {KEY}),
        (f'{{"fruits": [{GOOD}]}}', {KEY, LIST}),
        (f'[{{"fruit": {GOOD}}}]', {KEY, LIST}),
        (f'{{"reply": {QUOTED}}}', {KEY, STRING}),
        (f"<think>{OTHER}</think>[{GOOD}]", {LIST}),
    ],
)
def test_unambiguous_faults_are_mended_and_marked(text: str, mends: set[Mend]) -> None:
    """The value is read, what was mended is named, and measures read the same value."""
    reply = parse(text, Fruit, cut_off=False, last=False)
    assert reply.value == FIG
    assert set(reply.mended) == mends
    assert json_in(text, [str(mend) for mend in reply.mended]) == FIG.model_dump()


@pytest.mark.parametrize(
    "text",
    [
        f"[{GOOD}, {GOOD}]",
        f"[{GOOD}, 1]",
        f"[[{GOOD}]]",
        f'{{"a": {GOOD}, "b": {OTHER}}}',
        f'{{"a": {GOOD}, "b": []}}',
        f'{{"name": "Fruit", "arguments": {GOOD}}}',
        '{"name": "fig", "seeds": [1, 2,,]}',
        '{"name": "fig", "seeds": [,]}',
        '{"name": "fig", "seeds": [1 2]}',
        '{"name": "fig" "seeds": [1, 2]}',
        "{'name': 'fig', 'seeds': [1, 2]}",
        '{name: "fig", "seeds": [1, 2]}',
        f'{{ // the reply\n "fruit": {GOOD}}}',
        f'{{ /* the reply */ "fruit": {GOOD}}}',
        '{"name": "fig", "seeds": [1, 2] // the seeds\n}',
        GOOD.replace('"', '\\"'),
        json.dumps(f"I say {GOOD}"),
        json.dumps([QUOTED]),
    ],
)
def test_everything_else_stays_strict(text: str) -> None:
    """Other notations, and what could mean two things, go back to the model."""
    reply = parse(text, Fruit, cut_off=False, last=True)
    assert reply.value is None
    assert reply.failure is not None
    assert reply.failure.kind is FailureKind.schema


def test_comment_does_not_open_the_texts_behind_it() -> None:
    """Tags and brackets inside the strings of JSON with a comment are not taken for parts."""
    text = '{ /* the reply */ "name": "a <think> b </think> [1]", "seeds": []}'
    failure = parse(text, Fruit, cut_off=False, last=True).failure
    assert failure is not None
    assert failure.message.startswith("the JSON in the reply cannot be read")


@pytest.mark.parametrize("text", [f"{OTHER} or rather {GOOD}", f"```\n{OTHER}\n```\n{GOOD}"])
def test_two_different_values_are_none(text: str) -> None:
    """Which one counts is the model's to say, not ours."""
    reply = parse(text, Fruit, cut_off=False, last=True)
    assert reply.failure is not None
    assert "several different values" in reply.failure.message


@pytest.mark.parametrize("text", [f"{GOOD}\n\n{GOOD}", f"```\n{GOOD}\n```\nThat is {GOOD}"])
def test_repeated_value_is_one(text: str) -> None:
    """A model that says the same twice said it."""
    assert parse(text, Fruit, cut_off=False, last=True).value == FIG


@pytest.mark.parametrize(
    ("text", "value", "mends"),
    [
        ("{}", {}, ()),
        ('{"mood": "calm"}', {}, ()),
        ('{"reply": {"label": "b"}}', {"label": "b"}, (KEY,)),
        ('{"type": "x", "reply": {"label": "b"}}', {"type": "x"}, ()),
        ('{"mood": {"deep": 1}}', {}, ()),
        ('{"mood": "calm"} {"label": "b"}', {"label": "b"}, ()),
    ],
)
def test_object_that_fits_with_none_of_its_keys_says_little(
    text: str, value: dict[str, Any], mends: tuple[Mend, ...]
) -> None:
    """Where every field may be left out, what fills one of them comes first."""
    reply = parse(text, Note, cut_off=False, last=False)
    assert (reply.value, reply.mended) == (Note.model_validate(value), mends)


def test_commas_in_texts_are_kept() -> None:
    """Only commas between a value and its closing bracket go."""
    reply = parse('{"name": "a,} ,] \\",}", "seeds": [1,],}', Fruit, cut_off=False, last=False)
    assert reply.value == Fruit(name='a,} ,] ",}', seeds=[1])


def test_reply_that_breaks_off_after_a_trailing_comma_is_truncated() -> None:
    """A fault that could be mended does not hide the end that is missing."""
    text = '{"seeds": [1, 2,], "name": "fi'
    early = parse(text, Fruit, cut_off=False, last=False)
    assert early.failure is not None
    assert early.failure.kind is FailureKind.truncated
    late = parse(text, Fruit, cut_off=True, last=True)
    assert late.partial
    assert late.value == Fruit(name="fi", seeds=[1, 2])
