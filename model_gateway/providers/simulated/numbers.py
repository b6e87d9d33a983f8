"""Plausible numbers: inside their bounds, and in order where field names require it."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from model_gateway.providers.simulated.draw import Stream
from model_gateway.providers.simulated.kinds import parts_of
from model_gateway.providers.simulated.shape import Shape

_LOW = frozenset({
    "min", "minimum", "low", "lower", "lowest", "optimistic", "best", "start", "begin", "from",
    "earliest", "least", "shortest",
})  # fmt: skip
_MIDDLE = frozenset({
    "realistic", "likely", "expected", "mid", "middle", "typical", "mode", "median", "average",
    "avg", "mean", "nominal",
})  # fmt: skip
_HIGH = frozenset({
    "max", "maximum", "high", "upper", "highest", "pessimistic", "worst", "end", "finish", "due",
    "to", "latest", "most", "longest",
})  # fmt: skip
_NUMERALS = re.compile(r"\d+")
_SPANS = (1, 10)
_PERIODS = {"days": (2, 45), "weeks": (1, 16), "months": (1, 18), "hours": (2, 80), "years": (1, 5)}


def clamped(value: float, shape: Shape) -> int:
    """Return `value` inside the bounds of `shape`, as a whole number."""
    low = value if shape.low is None else max(value, shape.low)
    return int(low if shape.high is None else min(low, shape.high))


def value(shape: Shape, name: str, stream: Stream) -> float:
    """Return a number for the field `name`.

    Its range is the schema's, else two numerals of its description, else 1 to the numeral at the
    end of its name (`likelihood_5`), else what its unit suggests.
    """
    low, high = _span(shape, name)
    low = low if shape.low is None else shape.low
    high = high if shape.high is None else shape.high
    high = max(low, high)
    drawn = low + stream.unit() * (high - low)
    if shape.kind == "integer":
        return min(int(high), int(drawn + 0.5))
    return round(drawn, 2)


def _span(shape: Shape, name: str) -> tuple[float, float]:
    stated = [int(n) for n in _NUMERALS.findall(shape.description)[:2]]
    if len(stated) > 1 and stated[0] < stated[1]:
        return stated[0], stated[1]
    parts = parts_of(name)
    tail = _NUMERALS.search(parts[-1]) if parts else None
    if tail is not None and int(tail[0]) > 1:
        return 1, int(tail[0])
    for part in parts:
        if part in _PERIODS:
            return _PERIODS[part]
    return _SPANS


def put_in_order(values: dict[str, Any], shape: Shape) -> None:
    """Sort the numbers and dates of an object whose names differ only by low and high."""
    families: defaultdict[tuple[str, ...], list[tuple[int, str]]] = defaultdict(list)
    for name, item in values.items():
        if isinstance(item, bool) or not isinstance(item, int | float | str):
            continue
        parts = parts_of(name)
        rank, rest = _rank(parts)
        if rank is not None:
            families[(type(item).__name__, *rest)].append((rank, name))
    for family in families.values():
        names = [name for _, name in sorted(family)]
        unsorted = [values[name] for name in names]
        if len(names) > 1 and (not isinstance(unsorted[0], str) or _are_dates(unsorted)):
            for name, one in zip(names, _apart(sorted(unsorted)), strict=True):
                node = shape.property(name)
                most = None if node is None or isinstance(one, str) else node.high
                values[name] = one if most is None else min(one, type(one)(most))


def _apart(ordered: list[Any]) -> list[Any]:
    """Raise equal whole numbers so that they differ, as the ends of a range should."""
    for index in range(1, len(ordered)):
        if isinstance(ordered[index], int) and ordered[index] <= ordered[index - 1]:
            ordered[index] = ordered[index - 1] + 1
    return ordered


def _are_dates(texts: list[str]) -> bool:
    return all(re.match(r"\d{4}-\d\d-\d\d", one) for one in texts)


def _rank(parts: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    for at, part in enumerate(parts):
        for rank, words in enumerate((_LOW, _MIDDLE, _HIGH)):
            if part in words:
                return rank, parts[:at] + parts[at + 1 :]
    return None, ()
