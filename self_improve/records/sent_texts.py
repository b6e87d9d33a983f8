"""What a record holds of the texts that were sent: the step's own apart from the plan's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from self_improve.records.json_paths import texts_in


def of_artifacts(raw: Sequence[Any]) -> tuple[str, str]:
    """Return the prompt and the input that older artifacts hold."""
    documents = [one for one in raw if isinstance(one, dict)]
    prompt = _joined(documents, "system_prompt", "system_prompt_list")
    return prompt, _joined(documents, "user_prompt", "user_prompt_list", "query")


def of_messages(
    system: Sequence[str], user: Sequence[str], prompts: Sequence[str]
) -> tuple[str, str]:
    """Return the prompt and the input that messages hold.

    Preambles and follow-ups in the user role are the step's, where the record names them.
    """
    prompt, inputs = list(system), list(user)
    for text in prompts:
        if text and any(text in one for one in inputs):
            inputs = [one.replace(text, "\n") for one in inputs]
            prompt.append(text)
    return _once(prompt), _once(inputs)


def _joined(documents: Sequence[dict[str, Any]], *keys: str) -> str:
    return _once(text for one in documents for key in keys for text in texts_in(one.get(key)))


def _once(texts: Iterable[str]) -> str:
    """Return texts as one, with each line once.

    Every call of a step repeats the plan's texts, which may be long.
    """
    every = list(dict.fromkeys(texts))
    if len(every) < 2:
        return "".join(every)
    return "\n".join(dict.fromkeys(line for text in every for line in text.split("\n")))
