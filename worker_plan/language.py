"""The direction of a text, and its language where the letters alone identify it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Literal

Direction = Literal["ltr", "rtl"]

_RIGHT_TO_LEFT = {"R", "AL"}
_SCRIPTS = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko"}
# About half of the letters of a Japanese text are kana; a quoted word elsewhere adds few.
_ENOUGH = 0.15


def direction(text: str) -> Direction:
    """Return `rtl` if most letters of `text` belong to right-to-left scripts.

    The bidirectional classes of Unicode decide (Standard Annex 9): letters of the classes R and
    AL against those of the class L; digits, punctuation and spaces are neither.
    """
    counts = Counter(unicodedata.bidirectional(sign) for sign in text)
    right_to_left = sum(counts[kind] for kind in _RIGHT_TO_LEFT)
    return "rtl" if right_to_left > counts["L"] else "ltr"


def language(text: str) -> str | None:
    """Return the language code for an HTML page if only one language uses these letters.

    Browsers choose the forms of Chinese characters by it. Most scripts serve several languages:
    for them it is None.
    """
    letters = Counter(sign for sign in text if sign.isalpha())
    languages: Counter[str] = Counter()
    for letter, count in letters.items():
        script = unicodedata.name(letter, "").split(" ", maxsplit=1)[0]
        if script in _SCRIPTS:
            languages[_SCRIPTS[script]] += count
    name, count = languages.most_common(1)[0] if languages else (None, 0)
    return name if count > _ENOUGH * letters.total() else None
