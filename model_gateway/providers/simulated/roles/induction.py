"""A starting text where no prompt is shown: the best attempt, or one derived from outputs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.messages import Conversation

_SCORES = ("score", "value", "fitness")
_LONG = 3
_EXAMPLES = 2


def starting_text(talk: Conversation, draw: Draw) -> str:
    """Return the attempt with the highest score, else a text derived from the other blocks."""
    best: tuple[float, str] | None = None
    for block in talk.all("attempts", "attempt"):
        for score, text in _scored(_parsed(block.text)):
            # Of equal scores the later attempt wins, since attempts are shown in ascending order.
            if best is None or score >= best[0]:
                best = score, text
    return best[1] if best else _induced(talk, draw)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _scored(value: Any) -> Iterator[tuple[float, str]]:
    if isinstance(value, list):
        for one in value:
            yield from _scored(one)
    elif isinstance(value, Mapping) and isinstance(value.get("text"), str):
        scores = [value[key] for key in _SCORES if isinstance(value.get(key), int | float)]
        yield float(scores[0]) if scores else 0.0, value["text"]


def _induced(talk: Conversation, draw: Draw) -> str:
    """Return what outputs have in common by form: lengths of lists, and samples of texts."""
    lengths: defaultdict[str, list[int]] = defaultdict(list)
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for block in talk.blocks:
        _gather(_parsed(block.text), "", lengths, texts)
    stream = draw.at(("induction",))
    lines = [
        f"`{name}`: {sorted(counts)[len(counts) // 2]}" for name, counts in lengths.items() if name
    ]
    for name, samples in texts.items():
        chosen = stream.shuffled(samples)[:_EXAMPLES]
        quoted = " ".join(f'"{text}"' for text in chosen if '"' not in text)
        lines.extend([f"`{name}`: {quoted}"] if quoted else [])
    return "\n".join(lines) or "\n".join(block.text for block in talk.blocks)


def _gather(
    value: Any, name: str, lengths: dict[str, list[int]], texts: dict[str, list[str]]
) -> None:
    if isinstance(value, str) and name and words.size(value) > _LONG:
        texts[name].append(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _gather(inner, str(key), lengths, texts)
    elif isinstance(value, list):
        lengths[name].append(len(value))
        for inner in value:
            _gather(inner, name, lengths, texts)
