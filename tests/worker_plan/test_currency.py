"""A currency is known by its code, however a model writes it, and never guessed."""

from __future__ import annotations

import pytest

from worker_plan.currency import CODES, currency_code


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("DKK", "DKK"),
        (" eur\n", "EUR"),
        ("ＪＰＹ", "JPY"),
        ("日本円（JPY）", "JPY"),
        ("الريال السعودي SAR", "SAR"),
        ("Schweizer Franken (CHF)", "CHF"),
        ("€", "EUR"),
        ("₹ (INR)", "INR"),
    ],
)
def test_code_is_found_however_it_is_written(written: str, code: str) -> None:
    """Case, width, a name before it and an unmistakable sign do not matter."""
    assert currency_code(written) == code


@pytest.mark.parametrize(
    "written", ["", "$", "¥", "BTC", "XYZ", "円", "all of them", "EUR/USD", "USDT", "Try it"]
)
def test_nothing_is_guessed(written: str) -> None:
    """What names no known currency, or several, names none."""
    assert currency_code(written) is None


def test_codes_have_three_letters() -> None:
    """The list holds codes only, and the currencies of the recorded plans."""
    assert {len(code) for code in CODES} == {3}
    assert {"CAD", "DKK", "EUR", "GBP", "HKD", "RUB", "USD"} <= CODES
