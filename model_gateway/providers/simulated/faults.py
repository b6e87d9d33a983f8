"""Faults of format (R10): what small models put around, into or instead of their JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from model_gateway.providers.simulated import rules
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.persona import Persona
from model_gateway.providers.simulated.rules import Rules


@dataclass(frozen=True, kw_only=True)
class Chances:
    """How likely each fault is in this reply."""

    fence: float
    prose: float
    broken: float
    echo: float


def chances(persona: Persona, strengths: Rules, focus: float, turns: int) -> Chances:
    """Return the chances of `persona`, after `turns` complaints about its replies."""
    return Chances(**{
        field.name: rules.fault_chance(strengths, getattr(persona, field.name), focus, turns)
        for field in fields(Chances)
    })  # fmt: skip


def written(
    value: Any,
    faults: Chances,
    draw: Draw,
    *,
    echo: Mapping[str, Any] | None,
    prose: Callable[[int], str],
) -> str:
    """Return `value` as JSON with the faults drawn for it; `prose` returns a remark by number.

    Only a schema in the prompt can be echoed.
    """
    stream = draw.at((), "faults")
    fenced, talks, breaks, echoes, where = (stream.unit() for _ in range(5))
    if echo is not None and echoes < faults.echo:
        return json.dumps(echo, ensure_ascii=False)
    text = json.dumps(value, ensure_ascii=False)
    if breaks < faults.broken:
        text = _broken(text, where)
    if fenced < faults.fence:
        text = f"```json\n{text}\n```"
    if talks < faults.prose:
        text = f"{prose(0)}\n\n{text}\n\n{prose(1)}"
    return text


def _broken(text: str, where: float) -> str:
    """Break the JSON as models do: a comma missing, a quote missing, or a bracket too few."""
    middle = len(text) // 4 + int(where * len(text) / 2)
    if where < 0.4:
        at = text.find('", "', middle)
        return text if at < 0 else text[: at + 1] + text[at + 2 :]
    if where < 0.8:
        at = text.find('": ', middle)
        return text if at < 0 else text[:at] + text[at + 1 :]
    return text.replace("]", "", 1) if "]" in text else text[:-1]
