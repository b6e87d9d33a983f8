"""Strings that fit a schema's pattern, for the simple patterns that schemas hold."""

from __future__ import annotations

import re

from model_gateway.providers.simulated.draw import Stream

_PIECE = re.compile(
    r"(?P<set>\[\^?(?:\\.|[^\]\\])+\])|(?P<group>\((?:\?:)?(?P<inner>[^()]*)\))"
    r"|(?P<escape>\\.)|(?P<any>\.)|(?P<plain>[^\\\[\](){}*+?^$|.])"
)
_TIMES = re.compile(r"\{(\d+)(?:,(\d*))?\}|([*+?])")
_CLASSES = {"d": "0123456789", "w": "abcdefghijkmnpqrstuvwxyz", "s": " "}
_MORE = 4


def fits(text: str, pattern: str) -> bool:
    """Whether `pattern` finds `text`; one that is not a Python pattern fits any text."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def matching(pattern: str, stream: Stream) -> str | None:
    """Return a string that `pattern` finds, or None where the pattern is not a simple one."""
    text = _expanded(pattern.removeprefix("^").removesuffix("$"), stream)
    return text if text is not None and fits(text, pattern) else None


def _expanded(pattern: str, stream: Stream) -> str | None:
    branches = _branches(pattern)
    if len(branches) > 1:
        return _expanded(stream.pick(branches), stream)
    out: list[str] = []
    at = 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            return None
        at = piece.end()
        least, most = 1, 1
        times = _TIMES.match(pattern, at)
        if times is not None:
            at = times.end()
            least, most = _bounds(times)
        for _ in range(least + stream.below(most - least + 1)):
            one = _one(piece, stream)
            if one is None:
                return None
            out.append(one)
    return "".join(out)


def _branches(pattern: str) -> list[str]:
    """Split at the bars that stand outside groups and sets."""
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(pattern):
        depth += (sign in "([") - (sign in ")]")
        if sign == "|" and depth == 0:
            parts.append(pattern[start:at])
            start = at + 1
    return [*parts, pattern[start:]]


def _bounds(times: re.Match[str]) -> tuple[int, int]:
    if times[3]:
        return {"*": (0, _MORE), "+": (1, _MORE), "?": (0, 1)}[times[3]]
    least = int(times[1])
    if times[2] is None:
        return least, least
    return least, int(times[2]) if times[2] else least + _MORE


def _one(piece: re.Match[str], stream: Stream) -> str | None:
    if piece["group"]:
        return _expanded(piece["inner"], stream)
    if piece["set"]:
        signs = _set(piece["set"][1:-1])
        return stream.pick(signs) if signs else None
    if piece["escape"]:
        sign = piece["escape"][1]
        return stream.pick(_CLASSES[sign]) if sign in _CLASSES else sign
    return stream.pick(_CLASSES["w"]) if piece["any"] else piece["plain"]


def _set(inside: str) -> str:
    if inside.startswith("^"):
        return "".join(s for s in "abcdefghijkmn0123456789" if s not in _set(inside[1:]))
    inside = re.sub(r"\\([dws])", lambda m: _CLASSES[m[1]], inside)
    ranged = re.sub(
        r"(?<!\\)(.)-(.)",
        lambda m: "".join(chr(c) for c in range(ord(m[1]), min(ord(m[2]), ord(m[1]) + 300) + 1)),
        inside,
    )
    return ranged.replace("\\", "")
