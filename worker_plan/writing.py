"""How a text is written: its direction, and its language as far as the letters alone tell it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Literal

Direction = Literal["ltr", "rtl"]

_RIGHT_TO_LEFT = {"R", "AL"}
_SCRIPTS = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko"}
# A Japanese text has kana for about half of its letters; a word quoted elsewhere has few.
_ENOUGH = 0.15


def direction(text: str) -> Direction:
    """Return `rtl` if most letters of `text` belong to scripts that are written so.

    It goes by the bidirectional classes of Unicode (Standard Annex 9): letters of the classes R
    and AL against those of the class L; digits, signs and spaces are neither.
    """
    counts = Counter(unicodedata.bidirectional(sign) for sign in text)
    right_to_left = sum(counts[kind] for kind in _RIGHT_TO_LEFT)
    return "rtl" if right_to_left > counts["L"] else "ltr"


def language(text: str) -> str | None:
    """Return the language as an HTML page names it, where only one is written in these letters.

    Browsers choose the forms of Chinese characters by it. Most scripts serve several languages,
    and then it is better left open.
    """
    letters = Counter(sign for sign in text if sign.isalpha())
    found: Counter[str] = Counter()
    for letter, count in letters.items():
        script = unicodedata.name(letter, "").split(" ", maxsplit=1)[0]
        if script in _SCRIPTS:
            found[_SCRIPTS[script]] += count
    name, count = found.most_common(1)[0] if found else (None, 0)
    return name if count > _ENOUGH * letters.total() else None
