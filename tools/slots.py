"""Places in an artifact that a damage can reach: items, texts, references and lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rubrics.rubric import CALL_FACTS

_LEAST_TEXT = 4


@dataclass(frozen=True)
class Slot:
    """A place in an artifact that holds an item or a text, and can be given another."""

    holder: Any
    key: Any

    @property
    def value(self) -> Any:
        """What is there."""
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        """Put something else there."""
        self.holder[self.key] = value


def slots_in(value: Any, holder: Any, key: Any) -> Iterator[Slot]:
    """Yield the slots of all texts inside a value, or of the value if it is one."""
    if isinstance(value, str):
        if is_text(value):
            yield Slot(holder, key)
    elif isinstance(value, dict | list):
        for inner, part in parts_of(value):
            yield from slots_in(part, value, inner)


def parts_of(value: Any) -> list[tuple[Any, Any]]:
    """Return the keys and values inside a value, without the facts of the call that it stores."""
    if isinstance(value, dict):
        return [(key, part) for key, part in value.items() if key not in CALL_FACTS]
    return list(enumerate(value)) if isinstance(value, list) else []


def is_text(string: str) -> bool:
    """Whether a string is said to somebody: it has words, and is no identifier."""
    bare = string.strip()
    if len(bare) < _LEAST_TEXT or not any(map(str.isalpha, bare)):
        return False
    return any(map(str.isspace, bare)) or not bare.isascii()


def slots_at(value: Any, keys: Sequence[str]) -> Iterator[Slot]:
    """Yield the slots of the texts and numbers at a path."""
    if not keys:
        return
    if isinstance(value, list):
        for one in value:
            yield from slots_at(one, keys)
        return
    key, spreads = keys[0].removesuffix("[]"), keys[0].endswith("[]")
    if not isinstance(value, dict) or key not in value:
        return
    inner = value[key]
    if keys[1:]:
        yield from slots_at(inner, keys[1:])
    elif isinstance(inner, list):
        yield from (Slot(inner, n) for n, one in enumerate(inner) if _is_key(one))
    elif spreads and isinstance(inner, dict):
        yield from (Slot(inner, k) for k, one in inner.items() if _is_key(one))
    elif _is_key(inner):
        yield Slot(value, key)


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def lists_in(value: Any) -> Iterator[list[Any]]:
    """Yield every list inside a value, and the value if it is one."""
    if isinstance(value, list):
        yield value
    for _, part in parts_of(value):
        yield from lists_in(part)
