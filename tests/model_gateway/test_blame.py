"""Whose each kind of failure is, and what stays open because of it."""

from __future__ import annotations

import pytest

from model_gateway.blame import (
    FAILURES,
    STOPPING,
    TIME_LIMIT,
    Blame,
    is_tried_again,
    kind_in_record,
    whose,
    whose_alone,
)
from model_gateway.call import FailureKind
from tools import failures_table

ACCESS = "access"


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_of_the_gateway_is_in_the_table(kind: FailureKind) -> None:
    """A kind without a row would be charged to prompts in silence."""
    assert str(kind) in FAILURES


def test_a_failure_without_a_row_is_the_prompts() -> None:
    """A step that raises an error of its own does so on what the model replied."""
    assert whose(None) is whose("a kind of a later version") is Blame.prompt
    assert not is_tried_again(None, "ValueError: oh")


@pytest.mark.parametrize("kind", FAILURES)
def test_what_the_world_did_stays_open_and_nothing_else(kind: str) -> None:
    """A reply that cannot be used, or a request that is rejected, would be the same again."""
    assert is_tried_again(kind, "") is (whose(kind) is Blame.world)


def test_what_one_side_alone_has_may_be_the_prompts() -> None:
    """A longer prompt makes a model ramble or fill the memory; a used-up day it does not."""
    assert whose("timeout") is Blame.world
    assert whose_alone("timeout") is whose_alone("out_of_memory") is Blame.prompt
    assert whose_alone("configuration") is Blame.prompt
    assert whose_alone("daily_limit") is whose_alone("connection") is Blame.world


def test_what_stops_a_model_is_tried_again_later() -> None:
    """Otherwise a used-up day would end its cells for good."""
    assert all(FAILURES[kind].again for kind in STOPPING)


def test_a_cell_that_reached_its_own_time_limit_is_not_run_again() -> None:
    """It would take as long again."""
    assert not is_tried_again("timeout", "killed after 60 s, the time limit of a cell")
    assert is_tried_again("timeout", "no whole reply within 60 s")


@pytest.mark.parametrize(
    ("kind", "error", "better"),
    [
        ("configuration", "the server answered 413: Request exceeds the maximum size", "too_long"),
        ("configuration", "the server answered 400: maximum context length is 8192", "too_long"),
        ("configuration", "about 9000 tokens and Ollama would cut it to options.num_ctx, 900",
         "too_long"),
        ("configuration", "the server answered 400: Failed to generate JSON", "schema"),
        ("configuration", "the server answered 401: no such key", ACCESS),
        ("configuration", "the server answered 402: pay", "no_credit"),
        ("configuration", "the server answered 404: no", "model_not_found"),
        ("configuration", "the server answered 429: your quota", "no_credit"),
        ("configuration", "the environment variable A_KEY is not set", ACCESS),
        ("configuration", "NotFoundError('x')", "model_not_found"),
        ("configuration", "the server answered 400: unknown parameter", "configuration"),
        ("configuration", "m: class_path names no model", "configuration"),
        ("timeout", "killed after 60 s, the time limit of a cell", TIME_LIMIT),
        ("timeout", "no whole reply within 60 s", "timeout"),
        ("daily_limit", "the server answered 429: a day", "daily_limit"),
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
