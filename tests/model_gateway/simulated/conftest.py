"""Ways to ask a simulated model directly, without a gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from model_gateway.attempt import Message
from model_gateway.provider import Origin, Request
from model_gateway.providers.simulated.persona import PERSONAS
from model_gateway.providers.simulated.rules import Rules
from model_gateway.providers.simulated.step_model import StepModel
from tests.model_gateway.simulated.plan_texts import ENGLISH
from tests.model_gateway.simulated.shapes import Levers

SYSTEM = """You help to plan. Say which decisions matter most.

- Give 6 levers in one reply.
- Each lever has exactly 3 `options`.
- Each `name` is short and says what is decided.
- Each of the `consequences` follows from the one before it.

Stay with what the plan says. Write in its language. Leave out what everybody knows. Think of the
people who will do the work. Say it plainly. Do not repeat yourself."""


def block(tag: str, content: str) -> str:
    """Return `content` as a step shows it to a model."""
    return f"<{tag}>\n{content}\n</{tag}>"


def json_block(tag: str, value: Any) -> str:
    """Return JSON as a step shows it to a model."""
    return block(tag, json.dumps(value, ensure_ascii=False, indent=1))


def a_request(
    system: str = SYSTEM,
    user: str = "",
    *,
    shape: type[BaseModel] | dict[str, Any] | None = Levers,
    most: int = 20_000,
    more: tuple[Message, ...] = (),
    **origin: Any,
) -> Request:
    """Return a request as the gateway would make it; `origin` changes who asks."""
    schema = shape if isinstance(shape, dict) or shape is None else shape.model_json_schema()
    asks: dict[str, Any] = {"plan": "p", "key": "call", "repeat": 0, "number": 1, "seed": 1}
    return Request(
        model_id="simulated/test",
        messages=[
            {"role": "system", "content": system},
            {"role": "user", "content": user or block("plan", ENGLISH)},
            *more,
        ],
        schema=schema, schema_name="Reply", max_output_tokens=most, arguments={},
        origin=Origin(**{**asks, "call_id": origin.get("key", "call"), **origin}),
    )  # fmt: skip


def a_model(persona: str = "strong", strengths: Rules | None = None, **traits: float) -> StepModel:
    """Return a step model; `traits` change single parameters of the persona."""
    changed = replace(PERSONAS[persona], **traits) if traits else PERSONAS[persona]
    return StepModel(persona, changed, strengths or Rules())


def replies(
    model: StepModel, system: str = SYSTEM, user: str = "", *, cells: int = 60, **changes: Any
) -> Iterator[dict[str, Any]]:
    """Yield the parsed replies of as many cells, each with its own seed, broken ones left out."""
    for seed in range(cells):
        answer = model.answer(a_request(system, user, seed=seed, **changes))
        try:
            yield json.loads(answer.text)
        except ValueError:
            continue


@pytest.fixture(params=sorted(PERSONAS))
def persona(request: pytest.FixtureRequest) -> str:
    """Every step persona in turn."""
    return str(request.param)
