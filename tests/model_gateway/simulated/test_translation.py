"""Translating the prose of a prompt leaves the reply as it was, byte for byte."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from tests.model_gateway.simulated.conftest import SYSTEM, a_model, a_request, block, json_block
from tests.model_gateway.simulated.plan_texts import ENGLISH
from tests.model_gateway.simulated.shapes import Levers

_FIXED = re.compile(
    r"<([a-z]+)>[\s\S]*?</\1>|```[\s\S]*?```|(?m:^>.*$)|\"[^\"]*\"|\u201c[^\u201d]*\u201d|`[^`]*`|\[[^\]]*\]"
    r"|\b\w+_\w+\b|\d+(?:[.,]\d+)*\s?%?|[^\w\s]|\n\s*"
)
_WORD = re.compile(r"[^\W\d_]+")

RICH = """You read a plan and name what can be decided. Give 5 to 7 levers in one reply, no more.

1. For `options`: exactly 3 strings of 12 to 18 words, each one whole and never just a label.
   - Never begin with "Option A:" or with "Choice B:", and leave out marks such as [insert here].
   - They differ in who pays, in who decides and in what comes first; they are no shades of one.
2. For `consequences`: one effect, then what follows from it, in 2 to 3 sentences.
   Example: "Renting the hall by the hour fills it in winter, yet the choir loses its fixed day."
   Example: "Who sells first? The dairy does; everyone else waits until its van has left."
3. For `review_lever`, one sentence that names what is missing, not what is there:

> Nothing here says who repairs the pump once the grant has been spent.

Keep figures out unless the plan has them: no 25% of anything that nobody measured before.
The `options` must be 3. Write in the language of the plan, plainly and without praise."""


def translated(text: str, seed: int) -> str:
    """Return `text` with every word of prose in another alphabet, some added and some left out."""
    chance = random.Random(seed)
    alphabet = "бвгджзклмнпрстфхцчшщаеиоуыэюя"
    parts: list[str] = []
    at = 0
    for match in [*_FIXED.finditer(text), None]:
        prose = text[at : match.start() if match else len(text)]
        words = prose.split(" ")
        for index, word in enumerate(words):
            if _WORD.search(word):
                words[index] = _WORD.sub(
                    lambda m: "".join(chance.choice(alphabet) for _ in m[0]), word
                )
        if len(words) > 5:
            spot = chance.randrange(2, len(words) - 1)
            if chance.random() < 0.5:
                words.insert(spot, "лишнее")
            else:
                del words[spot]
        parts.append(" ".join(words))
        if match:
            parts.append(match[0])
            at = match.end()
    return "".join(parts)


def _schema(seed: int | None) -> dict[str, Any]:
    """Return a schema with descriptions, in translation if a seed is given."""
    schema = Levers.model_json_schema()
    fields = schema["$defs"]["Lever"]["properties"]
    described = {
        "name": "A short title. It holds 2 to 4 words and comes from the plan itself.",
        "consequences": "What happens when this is decided. Length: 30 to 40 words.",
        "options": "Exactly 3 ways to go. Each of them stands alone.",
    }
    for name, text in described.items():
        fields[name]["description"] = text if seed is None else translated(text, seed)
    return schema


@pytest.mark.parametrize("seed", range(4))
def test_translation_changes_nothing(persona: str, seed: int) -> None:
    """System text, user text and descriptions in another language get the same reply."""
    model = a_model(persona)
    request = "Name further levers that are not in this list. Give 5 to 7 of them as before."
    listed = json_block("found", ["Sunday Quiet Hours", "Fence Allotments"])
    for system in (SYSTEM, RICH):
        for user in ("", request):
            material = f"{block('plan', ENGLISH)}\n\n{listed}"
            plain = a_request(system, f"{material}\n{user}", shape=_schema(None))
            foreign = a_request(
                translated(system, seed), f"{material}\n{translated(user, seed)}",
                shape=_schema(seed),
            )  # fmt: skip
            assert model.answer(plain).text == model.answer(foreign).text


def test_translation_is_one() -> None:
    """The test's own translator changes the prose and keeps quotes, names and numerals."""
    foreign = translated(RICH, 1)
    assert "reply" not in foreign
    for span in ("`options`", '"Option A:"', "[insert here]", "25%", "5 ", "repairs the pump"):
        assert span in foreign
