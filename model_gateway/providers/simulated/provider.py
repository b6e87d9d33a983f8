"""The simulated models as a provider; an entry's options choose the model."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_gateway.call import Source
from model_gateway.config import Model
from model_gateway.entry_settings import option_problems
from model_gateway.errors import ConfigError
from model_gateway.provider import Answer, Request
from model_gateway.providers.simulated import roles
from model_gateway.providers.simulated.persona import PERSONAS
from model_gateway.providers.simulated.rules import Rules
from model_gateway.providers.simulated.step_model import StepModel
from model_gateway.suggestions import did_you_mean


class Player(Protocol):
    """A step model or one of the roles."""

    def answer(self, request: Request) -> Answer:
        """Return the reply, which depends on the request only."""
        ...


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    persona: str
    latency_seconds: float = Field(default=0.0, ge=0)
    traits: dict[str, float] = Field(default_factory=dict)
    rules: dict[str, float] = Field(default_factory=dict)


class Simulated:
    """Answers requests without a network, by `player`."""

    source = Source.simulated

    def __init__(self, player: Player, *, latency_seconds: float = 0.0) -> None:
        self._player = player
        self._latency = latency_seconds

    async def send(self, request: Request) -> Answer:
        """Answer `request` after the configured time; this never fails."""
        await asyncio.sleep(self._latency)
        return self._player.answer(request)

    async def close(self) -> None:
        """Close nothing."""


def build(model: Model) -> Simulated:
    """Return the provider of `model`, whose options name a persona or a role.

    `traits` and `rules` in the options change single parameters of the persona and of the rules,
    so that a benchmark can draw new models and landscapes.

    Raises:
        ConfigError: the options name an unknown persona or parameter.
    """
    try:
        options = _Options.model_validate(model.options)
    except ValidationError as error:
        raise ConfigError(
            f"{model.name}: the options cannot be used: {option_problems(error)}"
        ) from error
    return Simulated(_player(model, options), latency_seconds=options.latency_seconds)


def _player(model: Model, options: _Options) -> Player:
    if options.persona in roles.ROLES:
        if options.traits or options.rules:
            raise ConfigError(f"{model.name}: a role has neither traits nor rules.")
        return roles.Role(options.persona)
    persona = PERSONAS.get(options.persona)
    if persona is None:
        names = [*PERSONAS, *roles.ROLES]
        hint = did_you_mean(options.persona, names) or f" Choose one of {', '.join(names)}."
        raise ConfigError(f"{model.name}: there is no persona {options.persona!r}.{hint}")
    changed = _changed(persona, options.traits, f"{model.name}: options.traits")
    strengths = _changed(Rules(), options.rules, f"{model.name}: options.rules")
    return StepModel(options.persona, changed, strengths)


def _changed(facts: Any, changes: dict[str, float], where: str) -> Any:
    names = [field.name for field in fields(facts)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise ConfigError(
            f"{where}: {', '.join(unknown)} is unknown; choose from {', '.join(names)}."
        )
    return replace(facts, **changes)
