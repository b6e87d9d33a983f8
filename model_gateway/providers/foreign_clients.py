"""Finds the HTTP clients inside an object of another library, to set their bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

from model_gateway.providers.http_client import bounded, bounded_sync

_DEEPEST = 6
_MOST = 3_000
_LAZY = ("_get_client", "_get_aclient", "client", "async_client")
_CLIENT = ("event_hooks", "follow_redirects", "cookies", "_transport", "_mounts")


def bound(owner: Any, *, create: bool = False) -> None:
    """Set the bounds of every HTTP client that `owner` holds, however deep.

    With `create`, those that it would create at the first call are created now.
    """
    if create:
        for name in _LAZY:
            with suppress(Exception):  # A client that cannot be created is reported by the call.
                member = getattr(owner, name)
                _bound_inside(member() if name.startswith("_get") else member)
    _bound_inside(owner)


def _bound_inside(owner: Any) -> None:
    for client in _clients(owner):
        if hasattr(client, "aclose"):
            bounded(client)
        else:
            bounded_sync(client)


def _clients(owner: Any) -> Iterator[Any]:
    seen: set[int] = set()
    queue = deque([(owner, 0)])
    while queue and len(seen) < _MOST:
        value, depth = queue.popleft()
        if id(value) in seen or isinstance(value, str | bytes | int | float | type | ModuleType):
            continue
        seen.add(id(value))
        if all(hasattr(type(value), name) or name in _held(value) for name in _CLIENT):
            yield value
        elif depth < _DEEPEST:
            queue.extend((part, depth + 1) for part in _parts(value))


def _held(value: Any) -> Mapping[str, Any]:
    fields = getattr(value, "__dict__", None)
    return fields if isinstance(fields, dict) else {}


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from list(value.values())
    elif isinstance(value, list | tuple | set):
        yield from list(value)
    else:
        yield from list(_held(value).values())
        yield from list((getattr(value, "__pydantic_private__", None) or {}).values())
