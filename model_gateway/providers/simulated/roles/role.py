"""A model with a role beside the steps, which answers from its messages alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from model_gateway.provider import Answer, Request
from model_gateway.providers.simulated import messages, records, shape, tokens
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.filler import Filler, Voice
from model_gateway.providers.simulated.marks import marks
from model_gateway.providers.simulated.messages import Conversation
from model_gateway.providers.simulated.references import References
from model_gateway.providers.simulated.roles.analyst import Analyst
from model_gateway.providers.simulated.roles.coder import Coder
from model_gateway.providers.simulated.roles.critic import Critic
from model_gateway.providers.simulated.roles.judge import Judge
from model_gateway.providers.simulated.roles.proposer import Proposer
from model_gateway.providers.simulated.words import Lexicon

MakeVoice = Callable[[Conversation, Lexicon, Draw], Voice]

ROLES: Mapping[str, MakeVoice] = MappingProxyType(
    {"proposer": Proposer, "critic": Critic, "judge": Judge, "analyst": Analyst, "coder": Coder}
)


class Role:
    """The role called `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._voice = ROLES[name]

    def answer(self, request: Request) -> Answer:
        """Return the reply to `request`: the same for the same seed, plan, repeat and call."""
        origin = request.origin
        conversation = messages.read(request.messages, retried=origin.number > 1)
        draw = Draw(
            origin.seed, origin.plan, origin.repeat, origin.call_id, origin.number, self._name
        )
        lexicon = Lexicon.of("\n".join(b.text for b in conversation.blocks), [self._name])
        voice = self._voice(conversation, lexicon, draw)
        schema = request.schema or _schema_in(conversation)
        if schema is None:
            text = voice.document(())
        else:
            # No field of a role's reply refers to the material.
            nothing = References(records.read([]))
            filler = Filler(references=nothing, voice=voice, draw=draw)
            text = json.dumps(filler.fill(shape.shape_of(schema)), ensure_ascii=False)
        return tokens.answer(text, request, request.max_output_tokens)


def _schema_in(conversation: Conversation) -> Mapping[str, Any] | None:
    for mark in [*marks(conversation.system), *marks(conversation.user)]:
        if mark.kind == "json" and isinstance(mark.value, Mapping) and "properties" in mark.value:
            return mark.value
    return None
