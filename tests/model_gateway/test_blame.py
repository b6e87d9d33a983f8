"""Whose each kind of failure is, and what a server's words say of it."""

from __future__ import annotations

import pytest

from model_gateway.blame import (
    ACCESS,
    FAILURES,
    TIME_LIMIT,
    Blame,
    kind_in_record,
    kind_of_answer,
    whose,
)
from model_gateway.call import FailureKind
from tools import failures_table


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_of_the_gateway_is_in_the_table(kind: FailureKind) -> None:
    """A kind without a row would be charged to prompts in silence."""
    assert str(kind) in FAILURES


def test_a_failure_without_a_row_is_the_prompts() -> None:
    """A step that raises an error of its own does so on what the model replied."""
    assert whose(None) is whose("a kind of a later version") is Blame.prompt


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, your messages are 9731.",
        "prompt is too long: 210034 tokens > 200000 maximum",
        "Requested tokens (9731) exceed context window of 8192",
        "the request exceeds the available context size. try increasing the context size",
        "The input token count (40000) exceeds the maximum number of tokens allowed (32768).",
    ],
)
def test_servers_say_in_many_words_that_a_prompt_is_too_long(message: str) -> None:
    """Whatever the status."""
    for status in (400, 422, 500):
        assert kind_of_answer(status, frozenset(), message) is FailureKind.too_long


def test_codes_need_no_words() -> None:
    """They do not change with the server's language."""
    assert kind_of_answer(413, frozenset(), "") is FailureKind.too_long
    assert kind_of_answer(400, frozenset({"context_length_exceeded"}), "") is FailureKind.too_long
    assert kind_of_answer(400, frozenset({"json_validate_failed"}), "") is FailureKind.schema
    assert kind_of_answer(400, frozenset(), "Failed to generate JSON.") is FailureKind.schema


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "max_tokens is too large"), (401, "bad key"), (429, "too many tokens a minute"),
     (503, "overloaded")],
)  # fmt: skip
def test_other_errors_are_not_taken_for_it(status: int, message: str) -> None:
    """They keep the kind that their status gives."""
    assert kind_of_answer(status, frozenset(), message) is None


@pytest.mark.parametrize(
    ("kind", "error", "better"),
    [
        ("configuration", "the server answered 413: Request exceeds the maximum size", "too_long"),
        ("configuration", "the server answered 400: maximum context length is 8192", "too_long"),
        ("configuration", "about 9000 tokens and Ollama would cut it to options.num_ctx, 900",
         "too_long"),
        ("configuration", "the server answered 400: Failed to generate JSON", "schema"),
        ("configuration", "the server answered 401: no such key", ACCESS),
        ("configuration", "the environment variable A_KEY is not set", ACCESS),
        ("configuration", "the server answered 400: unknown parameter", "configuration"),
        ("timeout", "killed after 60 s, the time limit of a cell", TIME_LIMIT),
        ("timeout", "no whole reply within 60 s", "timeout"),
        (None, "ValueError: oh", None),
    ],
)  # fmt: skip
def test_records_of_before_are_read_by_the_same_table(
    kind: str | None, error: str, better: str | None
) -> None:
    """They said `configuration` of all that a server rejects."""
    assert kind_in_record(kind, error) == better


def test_the_page_shows_the_table_of_the_code() -> None:
    """`make pages` writes it."""
    text = failures_table.PAGE.read_text(encoding="utf-8")
    assert failures_table.page(text) == text
