"""Asks one model for a few tokens: the cheapest check that it answers."""

from __future__ import annotations

from model_gateway.attempts import CallOutcome
from model_gateway.config import Model
from model_gateway.door import Question
from model_gateway.exchange import Caller, NoObserver, Observer
from model_gateway.gateway import Gateway
from model_gateway.journal import NoJournal
from model_gateway.ledger import Log

SECONDS = 60.0
TRIES = 3
TOKENS = 16
"""The least that some servers allow as the bound of a reply."""


async def ping(
    gateway: Gateway, model: Model, *, observer: Observer | None = None, log: Log | None = None
) -> CallOutcome:
    """Ask `model` for a token, again after a transient failure.

    An empty or declined answer fails but is an answer. `log` records what is reserved for that,
    before it is sent.
    """
    few = {"max_attempts": TRIES, "attempt_seconds": min(SECONDS, model.attempt_seconds)}
    caller = Caller(
        cell="ping", plan="", repeat=0, seed=0, models=(model.model_copy(update=few),),
        journal=NoJournal(), observer=observer or NoObserver(), log=log, hasty=True,
    )  # fmt: skip
    messages = [{"role": "user", "content": "1"}]
    return await gateway.answer(
        Question(key="ping", messages=messages, max_output_tokens=TOKENS), caller
    )
