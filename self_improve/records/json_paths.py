"""Finds what a rubric's JSON paths name in JSON of unknown form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from rubrics.rubric import CALL_FACTS


@lru_cache(maxsize=4096)
def _keys(json_path: str) -> tuple[tuple[str, bool], ...]:
    """Return the keys of a path, each with whether the values of an object there are meant."""
    parts = json_path.split(".") if json_path else []
    return tuple((part.removesuffix("[]"), part.endswith("[]")) for part in parts)


def items_at(value: Any, json_path: str) -> list[Any]:
    """Return everything at `json_path` inside `value`, nothing where it does not exist.

    A list means its items, inside the path and at its end; `[]` after an object for its
    values.
    """
    if isinstance(value, dict) and json_path in value:
        return _spread([value[json_path]])
    level = [value]
    for key, spreads in _keys(json_path):
        level = _values_of(level, key)
        if spreads:
            level = [
                part for one in level for part in (one.values() if isinstance(one, dict) else [one])
            ]
    return _spread(level)


def values_at(value: Any, json_path: str) -> list[Any]:
    """Return the values at `json_path` inside `value`, where a list is one value."""
    if isinstance(value, dict) and json_path in value:
        return [value[json_path]]
    level = [value]
    for key, _ in _keys(json_path):
        level = _values_of(level, key)
    return level


def are_blank(values: Iterable[Any]) -> bool:
    """Whether each of the values is null, a blank text or empty; true without values."""
    return all(
        value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())
        for value in values
    )


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text inside `value`, in order."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            rest.extend(reversed(one))
        elif isinstance(one, dict):
            rest.extend(reversed(one.values()))


def without_call_facts(value: Any) -> Any:
    """Return an artifact's value without the facts of the call that it stores."""
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if key not in CALL_FACTS}
    return value


def _values_of(values: list[Any], key: str) -> list[Any]:
    return [one[key] for one in _spread(values) if isinstance(one, dict) and key in one]


def _spread(values: list[Any]) -> list[Any]:
    """Replace each list among `values` by its items."""
    if not any(isinstance(one, list) for one in values):
        return values
    return [inner for one in values for inner in (one if isinstance(one, list) else (one,))]
