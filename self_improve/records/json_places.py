"""Finding what a rubric's places name in JSON that nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

RECORDED = frozenset(
    {"metadata", "system_prompt", "system_prompt_list", "user_prompt", "user_prompt_list", "query"}
)
"""What an artifact that keeps a reply holds beside it: the facts of the call."""


@lru_cache(maxsize=4096)
def _steps(place: str) -> tuple[tuple[str, bool], ...]:
    parts = place.split(".") if place else []
    return tuple((part.removesuffix("[]"), part.endswith("[]")) for part in parts)


def found(value: Any, place: str) -> list[Any]:
    """Return everything at `place` inside `value`, nothing where it is not there.

    A list stands for its items, on the way and at the end; `[]` after an object for its values.
    """
    if isinstance(value, dict) and place in value:
        inner = value[place]
        return inner if isinstance(inner, list) else [inner]
    here = [value]
    for key, spread in _steps(place):
        here = [one[key] for one in _spread(here) if isinstance(one, dict) and key in one]
        if spread:
            here = [
                part for one in here for part in (one.values() if isinstance(one, dict) else [one])
            ]
    return _spread(here)


def lists(value: Any, place: str) -> list[Any]:
    """Return what stands at `place` inside `value` itself: a list there is not taken apart."""
    if isinstance(value, dict) and place in value:
        return [value[place]]
    here = [value]
    for key, _ in _steps(place):
        here = [one[key] for one in _spread(here) if isinstance(one, dict) and key in one]
    return here


def leaves(value: Any) -> Iterator[str]:
    """Yield every text inside `value`, in order."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            waiting.extend(reversed(one))
        elif isinstance(one, dict):
            waiting.extend(reversed(one.values()))


def without_record(value: Any) -> Any:
    """Return an artifact's value without the facts of the call that made it."""
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if key not in RECORDED}
    return value


def _spread(values: list[Any]) -> list[Any]:
    """Take apart the lists among `values`."""
    if not any(isinstance(one, list) for one in values):
        return values
    return [inner for one in values for inner in (one if isinstance(one, list) else (one,))]
