"""The caps that the environment sets, for every command whose options do not set them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model_gateway.cap_variables import CAP_VARIABLES
from model_gateway.errors import ConfigError
from model_gateway.ledger import Caps


def of_environment(environment: Mapping[str, str]) -> Caps:
    """Return the caps that the environment sets.

    Raises:
        ConfigError: a value is not a number of the right kind; the message names every wrong one.
    """
    problems: list[str] = []

    def read(name: str, kind: Callable[[str], Any]) -> Any:
        text = environment.get(name, "").strip()
        try:
            value = kind(text) if text else None
            if value is None or 0 <= value < float("inf"):
                return value
        except ValueError:
            pass
        noun = "an amount" if kind is float else "a whole number"
        problems.append(f"{name}={text!r} is not {noun}.")
        return None

    result = Caps(
        calls=read(CAP_VARIABLES["calls"], int),
        tokens=read(CAP_VARIABLES["tokens"], int),
        dollars=read(CAP_VARIABLES["dollars"], float),
    )
    if problems:
        raise ConfigError("\n".join(problems))
    return result
