"""What a record tells of what the model was told: the step's own texts apart from the plan's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from self_improve.records import json_places


def recorded(raw: Sequence[Any]) -> tuple[str, str]:
    """Return the prompt and the input that older artifacts hold."""
    documents = [one for one in raw if isinstance(one, dict)]
    prompt = _joined(documents, "system_prompt", "system_prompt_list")
    given = _joined(documents, "user_prompt", "user_prompt_list", "query")
    return prompt, given


def _joined(documents: Sequence[dict[str, Any]], *keys: str) -> str:
    return _once(t for one in documents for key in keys for t in json_places.leaves(one.get(key)))


def _once(texts: Iterable[str]) -> str:
    """Return texts as one, with a line that several of them hold told once.

    Every call of a step is told the same of the plan, which may be long.
    """
    every = list(dict.fromkeys(texts))
    if len(every) < 2:
        return "".join(every)
    return "\n".join(dict.fromkeys(line for text in every for line in text.split("\n")))


def parted(system: Sequence[str], user: Sequence[str], prompts: Sequence[str]) -> tuple[str, str]:
    """Return what of the messages is the step's own, and what is of the plan.

    Preambles and follow-ups in the user role are the step's, where the record names them.
    """
    own, given = list(system), list(user)
    for text in prompts:
        if text and any(text in one for one in given):
            given = [one.replace(text, "\n") for one in given]
            own.append(text)
    return _once(own), _once(given)
