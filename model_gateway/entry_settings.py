"""Reads what every provider takes from its entry: address, options and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from model_gateway import validation
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from model_gateway.provider import Answer
from model_gateway.replies import Mend

O = TypeVar("O", bound=BaseModel)  # noqa: E741 - stands for Options


class ReplyOptions(BaseModel):
    """The `options` of entries of every provider with a wire format.

    `reply_in_reasoning` takes the text of the reasoning field where the text itself is empty, for
    servers that put the whole reply there. `fold_system` puts the system message into the first
    message of the user, for servers without a system role.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reply_in_reasoning: bool = False
    fold_system: bool = False


def accepted(answer: Answer, options: ReplyOptions) -> Answer:
    """Return an answer with the text that the entry allows to take."""
    if not options.reply_in_reasoning or answer.text.strip() or not answer.reasoning:
        return answer
    mended = [*answer.mended, Mend.reasoning_field]
    return replace(answer, text=answer.reasoning, mended=mended, reasoning=None)


def server_url(model: Model, default: str) -> str:
    """Return the server's address, or `default`, with a scheme.

    An address without one, such as `localhost:8080/v1`, gets http for a local model and https for
    any other, so that no key is sent in the clear.
    """
    url = model.server or default
    if "://" in url:
        return url
    return f"{'http' if model.local else 'https'}://{url}"


def options_of(model: Model, shape: type[O], *, reserved: set[str]) -> O:
    """Return the entry's options as `shape`.

    Raises:
        ConfigError: an option is unknown or of the wrong kind, or `arguments` sets one of
            `ours`, the fields of a request that the gateway sets itself.
    """
    taken = sorted(reserved & model.arguments.keys())
    if taken:
        raise ConfigError(
            f"{model.name}: arguments may not set {', '.join(taken)}, which the gateway sets. "
            "Remove it from the entry."
        )
    try:
        return shape.model_validate(model.options)
    except ValidationError as error:
        raise ConfigError(
            f"{model.name}: {option_problems(error)}. The options of the provider "
            f"{model.provider} are {', '.join(shape.model_fields)}."
        ) from error


def option_problems(error: ValidationError) -> str:
    """Return which options are wrong, and why."""
    return "; ".join(f"options.{problem}" for problem in validation.problems(error))


def other_arguments(arguments: Mapping[str, Any], *, reserved: set[str]) -> dict[str, Any]:
    """Return the arguments of one request without those the gateway sets itself."""
    return {name: value for name, value in arguments.items() if name not in reserved}
