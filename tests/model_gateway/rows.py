"""Attempts as they stand in a journal, made without asking anybody, and texts to put into them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from model_gateway.attempt import Attempt
from model_gateway.call import Source

ANY_TEXT = st.text(max_size=20) | st.text(
    st.sampled_from('aé\U0001f600"\\\n\r\t\x00\u2028\ud83d\ufeff'), max_size=20
)
"""Text as models write it: halves of characters, line ends and marks come often."""


def an_attempt(**changes: Any) -> Attempt:
    """Return a finished attempt of the cell `silo`."""
    values: dict[str, Any] = {
        "cell": "silo", "key": "fruit", "repeat": 0, "number": 1, "model": "scripted",
        "model_id": "scripted-1", "provider": "scripted",
        "messages": [{"role": "user", "content": "Name a fruit."}], "schema": None,
        "arguments": {}, "max_output_tokens": 100, "text": "a fig", "finish_reason": "stop",
        "input_tokens": 10, "output_tokens": 5, "thinking_tokens": None, "cost": 0.25,
        "started": "2026-01-01T00:00:00.000+00:00", "seconds": 1.5, "status": "ok",
        "failure_kind": None, "failure_message": None, "source": Source.network,
    }  # fmt: skip
    return Attempt(**{**values, **changes})
