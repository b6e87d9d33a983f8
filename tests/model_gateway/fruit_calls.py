"""Calls to scripted models whose replies are parsed as a fruit."""

from __future__ import annotations

from typing import Any

from model_gateway.attempts import CallOutcome, OfferedReply, ParseResult, ReplyParser, ask_models
from model_gateway.config import Model
from model_gateway.door import Question
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway
from model_gateway.ledger import Ledger
from model_gateway.provider import Provider
from model_gateway.replies import parse
from tests.model_gateway.conftest import Fruit

GOOD = '{"name": "fig", "seeds": [1, 2]}'
WRONG = '{"name": 3}'
CUT = '{"name": "fig", "seeds": [1, 2'
ASK = [
    {"role": "system", "content": "Name a fruit."},
    {"role": "user", "content": "Any."},
]


async def wants_fruit(reply: OfferedReply) -> ParseResult:
    """Parse a reply as a step that wants a `Fruit` would."""
    parsed = parse(reply.text, Fruit, cut_off=reply.cut_off, last=reply.last)
    return ParseResult(partial=parsed.partial, failure=parsed.failure, mended=parsed.mended)


def a_question(**changes: Any) -> Question:
    """Return a call that asks for a fruit."""
    values: dict[str, Any] = {
        "key": "fruit", "messages": ASK, "schema": Fruit.model_json_schema(),
        "schema_name": "Fruit", "max_output_tokens": 100,
    }  # fmt: skip
    return Question(**{**values, **changes})


async def put_call(
    provider: Provider | dict[str, Provider],
    caller: Caller,
    *,
    parser: ReplyParser = wants_fruit,
    ledger: Ledger | None = None,
    key_variables: tuple[str, ...] = (),
    **question: Any,
) -> CallOutcome:
    """Put one call to `provider`, or to one of several by the models' names."""

    def build(model: Model) -> Provider:
        return provider[model.name] if isinstance(provider, dict) else provider

    async with Gateway(build=build, ledger=ledger, key_variables=key_variables) as gateway:
        await gateway.warm(caller.models)
        return await ask_models(a_question(**question), caller, gateway.desk, parser)
