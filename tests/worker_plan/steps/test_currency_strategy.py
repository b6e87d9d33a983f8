"""The currencies of a plan are codes; what is none is kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.markdown import INCOMPLETE
from worker_plan.steps.currency_strategy import CurrencyStrategy

RAW, MARKDOWN = CurrencyStrategy.raw.name, CurrencyStrategy.markdown.name


def outcome(run_dir: Path, reply: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Run the step on a reply; return both artifacts."""
    written = carry_out(prepared(CurrencyStrategy, run_dir), Scripted(lambda _: reply))
    return written[RAW], written[MARKDOWN]


def said(primary: str | None, *currencies: str, involved: bool = True) -> dict[str, Any]:
    """Return a reply with these currencies."""
    listed = [{"currency": one, "consideration": f"For {one}."} for one in currencies]
    return {
        "money_involved": involved,
        "currency_list": listed,
        "primary_currency": primary,
        "currency_strategy": "One is enough.",
    }


def test_currencies_become_codes(run_dir: Path) -> None:
    """Each code stands there once, in the order of the reply, with what was said of it first."""
    raw, markdown = outcome(run_dir, said("Euro (EUR)", "dkk", "Kroner (DKK)", "€", "gold"))
    assert raw["currency_list"] == [
        {"currency": "DKK", "consideration": "For dkk."},
        {"currency": "EUR", "consideration": "For €."},
    ]
    assert raw["primary_currency"] == "EUR"
    assert raw["refused"] == [{"currency": "gold", "reason": "not one code of ISO 4217"}]
    assert INCOMPLETE not in markdown


def test_primary_currency_joins_the_list(run_dir: Path) -> None:
    """The budget is in one of the currencies of the list, also where the reply forgot it there."""
    raw, markdown = outcome(run_dir, said("jpy", "USD"))
    assert [one["currency"] for one in raw["currency_list"]] == ["USD", "JPY"]
    assert "**JPY:**" in markdown


@pytest.mark.parametrize("primary", ["yen", "", None, "$"])
def test_unknown_primary_currency_is_a_gap(run_dir: Path, primary: str | None) -> None:
    """None is chosen in its place; what was said is recorded, and the text says what is missing."""
    raw, markdown = outcome(run_dir, said(primary, "USD", "JPY"))
    assert raw["primary_currency"] == ""
    assert [one["currency"] for one in raw["refused"]] == [primary or ""]
    assert markdown.startswith(f"> {INCOMPLETE}")
    assert "the currency of the budget" in markdown


def test_reply_without_any_code_is_marked(run_dir: Path) -> None:
    """The strategy is kept all the same."""
    raw, markdown = outcome(run_dir, said("yen", "dollars"))
    assert raw["currency_list"] == []
    assert "nothing usable for: the currencies" in markdown
    assert "One is enough." in markdown


def test_plan_without_money_needs_no_currency(run_dir: Path) -> None:
    """Nothing is missing then."""
    raw, markdown = outcome(run_dir, said("", involved=False))
    assert (raw["money_involved"], raw["currency_list"], raw["refused"]) == (False, [], [])
    assert markdown.startswith("The plan goes without money.")
