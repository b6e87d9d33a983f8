"""Token counts by rule (a token is 4 characters or one CJK character), and bounded replies."""

from __future__ import annotations

import re

from model_gateway.provider import Answer, Request

_WIDE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]+")
_CHARACTERS_A_TOKEN = 4


def count(text: str) -> int:
    """Return the approximate number of tokens in `text`."""
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


def answer(text: str, request: Request, limit: int, *, more_input: int = 0) -> Answer:
    """Return `text`, cut at `limit` tokens, as the reply to `request`."""
    whole = count(text)
    return Answer(
        text=cut(text, limit),
        finish_reason="length" if whole > limit else "stop",
        input_tokens=more_input + sum(count(m["content"]) for m in request.messages),
        output_tokens=min(whole, limit),
        model_id=request.model_id,
    )
