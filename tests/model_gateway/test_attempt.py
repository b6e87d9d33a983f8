"""Rows survive storage, and requests are distinguished by their content."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_gateway.attempt import Attempt, digest_of
from model_gateway.call import FailureKind, Source
from model_gateway.jsonl import dumps
from model_gateway.visible import sound
from tests.model_gateway.rows import ANY_TEXT, an_attempt

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=3)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": ANY_TEXT}),
    max_size=3,
)
COUNTS = st.none() | st.integers(0, 10**9)
ATTEMPTS = st.builds(
    an_attempt,
    cell=ANY_TEXT, key=ANY_TEXT, number=st.integers(1, 9), messages=MESSAGES,
    schema=st.none() | OBJECTS, arguments=OBJECTS, options=OBJECTS, text=ANY_TEXT,
    input_tokens=COUNTS, cost=st.none() | st.floats(0, 1e6),
    status=st.sampled_from(["ok", "partial", "failed", "cancelled"]),
    failure_kind=st.none() | st.sampled_from(FailureKind),
    failure_message=st.none() | ANY_TEXT, source=st.sampled_from(Source), fallback=st.booleans(),
)  # fmt: skip


@given(ATTEMPTS)
def test_row_survives_the_disk(attempt: Attempt) -> None:
    """What is written as a line and read again is the same attempt, but for half characters.

    Those are replaced, because nothing that a file or a terminal takes can hold them.
    """
    read = Attempt.from_row(json.loads(dumps(attempt.to_row())))
    texts = ("cell", "key", "text", "failure_message")
    whole = {name: sound(getattr(attempt, name) or "") for name in texts}
    whole["failure_message"] = whole["failure_message"] or attempt.failure_message
    messages = [{**m, "content": sound(m["content"])} for m in attempt.messages]
    assert read == replace(attempt, **whole, messages=messages)


WRONG: list[dict[str, Any]] = [
    {"text": None}, {"text": 5}, {"cell": ["x"]}, {"messages": "hello"}, {"messages": [5]},
    {"messages": [{"role": "user", "content": 5}]}, {"repeat": -1}, {"repeat": True},
    {"number": 10**400}, {"input_tokens": -5}, {"output_tokens": 1.5}, {"cost": float("nan")},
    {"cost": float("inf")}, {"cost": -0.1}, {"seconds": "2"}, {"arguments": []}, {"schema": "x"},
    {"options": None}, {"fallback": 1}, {"reported_model": {"a": 1}}, {"finish_reason": 7},
    {"failure_kind": ["x"]}, {"source": 3},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_row_that_holds_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    """A row is read whole or not at all, so that a replay never carries a fault further."""
    with pytest.raises(ValueError, match="cannot be"):
        Attempt.from_row({**an_attempt().to_row(), **wrong})


def test_row_nested_without_end_is_refused() -> None:
    """What could not be written again is not read."""
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="arguments cannot be"):
        Attempt.from_row({**an_attempt().to_row(), "arguments": deep})


def test_unknown_fields_are_left_out() -> None:
    """A row of a newer version is read without what this version does not know."""
    assert Attempt.from_row({**an_attempt().to_row(), "mood": "sunny"}) == an_attempt()


@pytest.mark.parametrize("field", ["cell", "text", "failure_kind", "source", "seconds"])
def test_missing_field_is_a_key_error(field: str) -> None:
    """A row that lacks a field is refused, never filled up."""
    row = an_attempt().to_row()
    del row[field]
    with pytest.raises(KeyError, match=field):
        Attempt.from_row(row)


@pytest.mark.parametrize("field", ["options", "fallback", "reported_model"])
def test_field_that_came_later_may_be_missing(field: str) -> None:
    """Rows from before a field existed are still read."""
    row = an_attempt().to_row()
    del row[field]
    assert Attempt.from_row(row) == an_attempt()


@pytest.mark.parametrize("wrong", [{"failure_kind": "bored"}, {"source": "rumour"}])
def test_unknown_word_is_a_value_error(wrong: dict[str, Any]) -> None:
    """A kind or source that is unknown is refused."""
    with pytest.raises(ValueError, match="is not a valid"):
        Attempt.from_row({**an_attempt().to_row(), **wrong})


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "other"},
        {"model_id": "scripted-2"},
        {"messages": [{"role": "user", "content": "Name a fruit!"}]},
        {"schema": {"type": "object"}},
        {"arguments": {"temperature": 0.5}},
        {"options": {"num_ctx": 1}},
        {"max_output_tokens": 101},
        {"cell": "barn"},
        {"key": "fruit_2"},
        {"repeat": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_digest_changes_with_what_was_asked(change: dict[str, Any]) -> None:
    """Any part of a request, and whose request it is, makes another digest."""
    assert an_attempt(**change).request_digest != an_attempt().request_digest


def test_digest_does_not_depend_on_what_came_of_it() -> None:
    """The outcome, the attempt's number and the entry's own name are not part of the request."""
    other = replace(
        an_attempt(), number=3, model="alias", text="", status="failed", cost=None, seconds=9.0,
        failure_kind=FailureKind.server, source=Source.cache, fallback=True, started="",
    )  # fmt: skip
    assert other.request_digest == an_attempt().request_digest


def test_half_a_character_has_a_digest_of_its_own() -> None:
    """Text that cannot be encoded is distinguished, too."""
    assert len({digest_of(text) for text in ("\ud83d", "\ud83e", "?", "")}) == 4


@given(OBJECTS)
def test_digest_does_not_depend_on_the_order_of_keys(values: dict[str, Any]) -> None:
    """Two dictionaries with the same content have one digest, whatever characters they hold."""
    turned = dict(reversed(values.items()))
    assert digest_of(values) == digest_of(turned)
