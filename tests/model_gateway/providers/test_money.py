"""What a reply costs, to the cent, from the usage that servers report in each format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_gateway.ledger import spent_before
from tests.model_gateway.providers.conftest import FORMATS, GOOD, Ask, AskedCall, entry
from tests.wire import Raw, WireServer

PRICE = {"input": 1.0, "output": 2.0, "cached_input": 0.1, "cache_write": 1.25}


def asked_with(ask: Ask, wire: str, usage: Any, **settings: Any) -> AskedCall:
    """Put one call to a server that reports this usage."""
    body: dict[str, Any] = {
        "openai": {"choices": [{"message": {"content": GOOD}, "finish_reason": "stop"}]},
        "anthropic": {"content": [{"type": "text", "text": GOOD}], "stop_reason": "end_turn"},
        "ollama": {"message": {"content": GOOD}, "done": True, "done_reason": "stop"},
    }[wire]
    body |= (usage or {}) if wire == "ollama" else {"usage": usage}
    with WireServer(wire, Raw(body=json.dumps(body).encode())) as server:
        return ask(entry(wire, server, **{"price": PRICE, **settings}))


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ("openai", {"prompt_tokens": 10_500, "completion_tokens": 200, "prompt_tokens_details": {
            "cached_tokens": 9000, "cache_write_tokens": 500}}),
        ("anthropic", {"input_tokens": 1000, "cache_read_input_tokens": 9000,
                       "cache_creation_input_tokens": 500, "output_tokens": 200}),
    ],
)  # fmt: skip
def test_cached_tokens_have_their_own_price(wire: str, usage: Any, ask: Ask) -> None:
    """What was read from a cache and written to one is counted, and priced by the entry."""
    asked = asked_with(ask, wire, usage)
    row = asked.row
    assert (row.input_tokens, row.output_tokens) == (10_500, 200)
    assert (row.cached_input_tokens, row.cache_write_tokens) == (9000, 500)
    assert row.cost == pytest.approx((1000 + 900 + 625 + 400) / 1e6)
    assert asked.spent.dollars == pytest.approx(row.cost)
    full = asked_with(ask, wire, usage, price={"input": 1.0, "output": 2.0}).row
    assert full.cost == pytest.approx((10_500 + 400) / 1e6)


def test_hidden_reasoning_is_paid_for(ask: Ask) -> None:
    """Tokens that only the total counts are billed as output."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 5200}
    row = asked_with(ask, "openai", usage).row
    assert (row.output_tokens, row.thinking_tokens) == (4200, 4000)
    assert row.cost == pytest.approx((1000 + 8400) / 1e6)


def test_cost_that_the_server_reports_wins(ask: Ask) -> None:
    """The record has both, so that the difference can be shown."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "cost": 0.5}
    asked = asked_with(ask, "openai", usage)
    assert (asked.row.cost, asked.row.cost_by_price) == (0.5, pytest.approx(0.0014))
    assert asked.spent.dollars == 0.5


@pytest.mark.parametrize(
    ("cost", "price", "billed"),
    [(0, PRICE, 0.0014), (0, {"input": 0, "output": 0}, 0.0), (0, None, 0.0), (0.5, None, 0.5)],
)
def test_nothing_is_no_cost_of_what_has_a_price(
    cost: float, price: Any, billed: float, ask: Ask
) -> None:
    """A server that always reports 0 does not make its tokens free; a free model is free."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "cost": cost}
    assert asked_with(ask, "openai", usage, price=price).row.cost == pytest.approx(billed)


NO_REPORT: dict[str, list[Any]] = {
    "openai": [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 0, "completion_tokens": 0, "cost": 0},
        {"prompt_tokens": 9, "completion_tokens": 0},
        {"prompt_tokens": -9, "completion_tokens": 7},
        {"prompt_tokens": "many", "completion_tokens": {}},
    ],
    "anthropic": [None, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 9}],
    "ollama": [None, {"prompt_eval_count": 0, "eval_count": 0}, {"eval_count": 7}],
}


@pytest.mark.parametrize("wire", FORMATS)
def test_reservation_stands_where_nothing_sensible_is_reported(wire: str, ask: Ask) -> None:
    """No report, zeros for a text and nonsense cost the worst case, also after a restart."""
    for usage in NO_REPORT[wire]:
        asked = asked_with(ask, wire, usage)
        assert asked.row.cost is None, usage
        assert asked.spent.dollars > 100 * 2e-6
        identity = {"cell": "silo", "key": "fruit", "repeat": 0, "number": 1}
        reserved = {
            "reserved": {**identity, "model": asked.row.model},
            "tokens": asked.spent.tokens, "dollars": asked.spent.dollars,
        }  # fmt: skip
        assert spent_before([reserved], asked.attempts) == asked.spent


def test_cost_without_tokens_counts_with_the_tokens_of_the_reservation(ask: Ask) -> None:
    """A server may say what a reply costs and not how many tokens it has."""
    asked = asked_with(ask, "openai", {"cost": 0.5})
    assert (asked.row.cost, asked.spent.dollars) == (0.5, 0.5)
    assert asked.spent.tokens > 100


def test_reservation_covers_the_dearest_way_of_reading(ask: Ask) -> None:
    """Writing to a cache may cost more than reading, and is reserved."""
    cheap = asked_with(ask, "anthropic", None, price={"input": 1.0, "output": 2.0})
    dear = asked_with(ask, "anthropic", None, price={**PRICE, "cache_write": 100.0})
    assert dear.spent.dollars > 20 * cheap.spent.dollars
