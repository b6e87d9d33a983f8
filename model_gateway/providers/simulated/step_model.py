"""A simulated small model for steps: it reads a request and writes a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from model_gateway.provider import Answer, Request
from model_gateway.providers.simulated import (
    faults,
    manner,
    messages,
    prompt,
    records,
    shape,
    tokens,
)
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.filler import Filler
from model_gateway.providers.simulated.manner import Manner
from model_gateway.providers.simulated.messages import Block, Conversation
from model_gateway.providers.simulated.persona import Persona
from model_gateway.providers.simulated.records import Records
from model_gateway.providers.simulated.references import References
from model_gateway.providers.simulated.rules import Rules
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.step_voice import StepVoice
from model_gateway.providers.simulated.words import Lexicon

_CACHED = 64
_FEW_WORDS = 40
_NAMED = re.compile(r"\"([^\"\n]{3,80})\"|`([^`\n]{3,80})`")
_NO_SHAPE = Shape(kind="any")


@dataclass(frozen=True, kw_only=True)
class _Prompt:
    """A prompt as it was read, and the shape that its reply must have."""

    shape: Shape
    manner: Manner
    echo: Mapping[str, Any] | None
    named: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _Material:
    records: Records
    lexicon: Lexicon
    listed: frozenset[str]


class StepModel:
    """Answers requests as `persona`, under `strengths`; its only state is a cache."""

    def __init__(self, name: str, persona: Persona, strengths: Rules) -> None:
        self._name = name
        self._persona = persona
        self._rules = strengths
        # Cells of one run share prompts and plans; reading them again would take most of the time.
        self._prompts = lru_cache(maxsize=_CACHED)(self._read_prompt)
        self._materials = lru_cache(maxsize=_CACHED)(_read_material)

    def answer(self, request: Request) -> Answer:
        """Return the reply to `request`: the same for the same seed, plan, repeat and call."""
        origin = request.origin
        conversation = messages.read(request.messages, retried=origin.number > 1)
        schema = "" if request.schema is None else json.dumps(request.schema)
        read = self._prompts(conversation.system, conversation.user, schema, conversation.tagged)
        material = self._materials(
            tuple((b.tag, b.text, b.untagged) for b in conversation.blocks),
            tuple(p.name for p in read.shape.walk() if p.name),
        )
        draw = Draw(
            origin.seed, origin.plan, origin.repeat, origin.call_id, origin.number, self._name
        )
        voice = StepVoice(
            persona=self._persona, strengths=self._rules, manner=read.manner,
            lexicon=material.lexicon, listed=material.listed, draw=draw,
            habits=Draw(origin.seed, origin.plan, self._name), turns=conversation.turns,
        )  # fmt: skip
        if read.shape is _NO_SHAPE:
            text = voice.document(())
        else:
            references = References(material.records, read.named)
            value = Filler(references=references, voice=voice, draw=draw).fill(read.shape)
            text = self._with_faults(value, read, conversation, draw, voice)
        limit = min(read.manner.limit, request.max_output_tokens)
        return tokens.answer(text, request, limit, more_input=tokens.count(schema))

    def _with_faults(
        self, value: Any, read: _Prompt, conversation: Conversation, draw: Draw, voice: StepVoice
    ) -> str:
        chances = faults.chances(self._persona, self._rules, read.manner.focus, conversation.turns)
        return faults.written(value, chances, draw, echo=read.echo, prose=voice.remark)

    def _read_prompt(self, system: str, user: str, schema: str, tagged: bool) -> _Prompt:  # noqa: FBT001
        reply_shape = shape.shape_of(json.loads(schema)) if schema else _NO_SHAPE
        form = prompt.read(system, user, reply_shape, tagged=tagged)
        if not schema and form.schema is not None:
            reply_shape = shape.shape_of(form.schema)
            form = prompt.read(system, user, reply_shape, tagged=tagged)
        named = frozenset(a or b for a, b in _NAMED.findall(user)) if tagged else frozenset()
        return _Prompt(
            shape=reply_shape,
            manner=manner.manner_of(form, reply_shape, self._persona, self._rules),
            echo=form.schema,
            named=named,
        )


def _read_material(blocks: tuple[tuple[str, str, bool], ...], fields: tuple[str, ...]) -> _Material:
    material = records.read([Block(tag=tag, text=text, untagged=un) for tag, text, un in blocks])
    plans = [text for tag, text in material.prose if tag == "plan"]
    plans = plans or [text for tag, text in material.prose if "plan" in tag.split("_")]
    text = "\n".join(plans or [text for _, text in material.prose])
    lexicon = Lexicon.of(text, fields)
    if not plans and lexicon.size < _FEW_WORDS and material.strings:
        lexicon = Lexicon.of("\n".join([text, *material.strings]), fields)
    names = {r.name for r in material.records if r.name}
    listed = frozenset(name.casefold() for name in names.union(material.listed))
    return _Material(records=material, lexicon=lexicon, listed=listed)
