"""Token counts that are the same on every machine: 4 characters, or one CJK character, a token."""

from __future__ import annotations

import re

_WIDE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]+")
_CHARACTERS_A_TOKEN = 4


def count(text: str) -> int:
    """Return about how many tokens `text` has."""
    wide = 0 if text.isascii() else sum(map(len, _WIDE.findall(text)))
    return wide + -(-(len(text) - wide) // _CHARACTERS_A_TOKEN)


def cut(text: str, limit: int) -> str:
    """Return the longest start of `text` that has at most `limit` tokens."""
    if count(text) <= limit:
        return text
    short, long = 0, len(text)
    while long - short > 1:
        middle = (short + long) // 2
        if count(text[:middle]) <= limit:
            short = middle
        else:
            long = middle
    return text[:short]
