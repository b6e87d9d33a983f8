"""The currencies that a text mentions, by their signs and codes."""

from __future__ import annotations

import re
from collections import Counter

_SIGNS = {
    "\u20ac": "EUR", "$": "USD", "\u00a3": "GBP", "\u00a5": "JPY", "\u5186": "JPY",
    "\u5143": "CNY", "\u20b9": "INR", "\u20a9": "KRW", "\u20bd": "RUB", "\u20ba": "TRY",
    "\u20aa": "ILS", "\u20b4": "UAH", "\u20ab": "VND", "\u20b1": "PHP", "\u20a6": "NGN",
}  # fmt: skip
_CODES = (
    "AED|AUD|BGN|BRL|CAD|CHF|CNY|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MAD|MXN|MYR|"
    "NGN|NOK|NZD|PHP|PLN|RON|RUB|SAR|SEK|SGD|THB|TRY|UAH|USD|VND|ZAR"
)
_SIGN = f"[{''.join(_SIGNS)}]"
_CURRENCY = re.compile(rf"\b(?:{_CODES})\b|(?<=\d)\s?{_SIGN}|{_SIGN}(?=\s?\d)")


def currencies(text: str) -> tuple[str, ...]:
    """Return the ISO codes of the currencies in `text`, the commonest first."""
    counts = Counter(_SIGNS.get(m.strip(), m.strip()) for m in _CURRENCY.findall(text))
    return tuple(code for code, _ in counts.most_common())
