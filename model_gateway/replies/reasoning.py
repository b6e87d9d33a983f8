"""Sets aside what a model wrote while it was thinking, so that a draft is never its answer."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

_NAMES = (
    r"think|thinking|thought|thoughts|reason|reasoning|reflection|analysis|scratch_?pad|"
    r"(?:internal|inner)[_-]?(?:monologue|thoughts?)|chain[_-]of[_-]thought|cot"
)
# Tags of the kind, as models and their templates write them. A name in `open` begins reasoning, one
# in `close` ends it; `channel` names what follows it.
_MARKER = (
    rf"<\s*(?P<x_close>/?)\s*(?:[a-z]{{1,12}}:)?(?P<x>{_NAMES})(?:\s[^<>]{{0,200}}?)?(?P<x_empty>/?)>|"
    r"\[(?P<b_close>/?)(?P<b>(?-i:THINK|THINKING))\]|"
    r"◁\s*(?P<k_close>/?)\s*(?P<k>think)\s*▷|"
    rf"<\|(?P<p_close>/|end_(?:of_)?)?(?:begin_(?:of_)?|start_(?:of_)?)?(?P<p>{_NAMES})\|>|"
    r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(?P<channel>\w*)|"
    r"(?P<g><\|channel>|<unused94>)\s*\w*|(?P<g_close><channel\|>|<unused95>|"
    r"(?-i:\[BEGIN FINAL RESPONSE\]|(?<=\n)\.\.\.done thinking\.))"
)
_JSON_START = r'\{\s*(?:["}]|//|/\*)|\[\s*(?:["{\[\]\d-]|true|false|null)'
_FLAGS = re.IGNORECASE | re.DOTALL
_ANY_MARKER = re.compile(rf"(?=[<\[◁.])(?:{_MARKER})", _FLAGS)
# What every marker begins with: most replies have none of it, and are passed in no time.
_BEGINNING = re.compile(r"<[\s/|A-Za-z]|\[/?THINK|\[BEGIN FINAL|\n\.\.\.done|◁")
_OUTSIDE_JSON = re.compile(f"{_MARKER}|(?P<json>{_JSON_START})", _FLAGS)
_INSIDE_JSON = re.compile(
    rf'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))|(?P<bracket>[{{}}\[\]])|{_MARKER}', _FLAGS
)
_FINAL = "final"
# What remains of channels where a server leaves their marks out.
_BARE_CHANNEL = re.compile(r"\s*(?:assistant)?(?:analysis|commentary)(?=[^\W_a-z])")
_BARE_FINAL = "assistantfinal"
# A decoder's error takes time in proportion to the text before it.
_MOST_DECODED = 200
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, kw_only=True)
class SpokenText:
    """A reply without its reasoning.

    `answer` is what the model said, `reasoned` whether anything was set aside. `unfinished` says
    that the reply ends inside its reasoning, so that it holds no answer.
    """

    answer: str
    reasoned: bool = False
    unfinished: bool = False


def set_aside(text: str) -> SpokenText:
    """Separate what a model said from its reasoning.

    A closing tag without an opening one ends reasoning that began with the reply. Of several parts
    outside all reasoning, the last one that may hold JSON is the answer. Tags inside the strings of
    a JSON value are part of the value.
    """
    if _BARE_CHANNEL.match(text) is not None:
        _, final, answer = text.rpartition(_BARE_FINAL)
        return SpokenText(answer=answer, reasoned=True, unfinished=not final)
    if _BEGINNING.search(text) is None or _ANY_MARKER.search(text) is None or _is_json(text):
        return SpokenText(answer=text)
    return _Scan(text).spoken()


def _is_json(text: str) -> bool:
    """Whether the whole text is one JSON value, even a string."""
    stripped = text.strip().lstrip("\ufeff")
    return _end_of_json(stripped, 0) == len(stripped)


@dataclass(frozen=True, kw_only=True)
class _Marker:
    """A tag in a text. `name` is shared by what opens and what closes the same reasoning."""

    name: str
    opens: bool
    start: int
    end: int

    @classmethod
    def of(cls, match: re.Match[str]) -> _Marker | None:
        """Return the marker of a match, None for a tag that opens and closes at once."""
        if match["channel"] is not None:
            name = match["channel"].lower()
            opens = name != _FINAL
            return cls(name=_FINAL, opens=opens, start=match.start(), end=match.end())
        if match["g"] or match["g_close"]:
            opens = bool(match["g"])
            return cls(name="<|channel>", opens=opens, start=match.start(), end=match.end())
        if match["x_empty"]:
            return None
        kind = next(kind for kind in "xbkp" if match[kind])
        return cls(
            name=kind + match[kind].lower(), opens=not match[f"{kind}_close"],
            start=match.start(), end=match.end(),
        )  # fmt: skip


class _Scan:
    """One pass over a text that holds markers."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decodes_left = _MOST_DECODED
        self._closing: defaultdict[str, list[_Marker]] = defaultdict(list)
        for match in _ANY_MARKER.finditer(text):
            marker = _Marker.of(match)
            if marker is not None and not marker.opens:
                self._closing[marker.name].append(marker)
                self._closing[""].append(marker)

    def spoken(self) -> SpokenText:
        parts: list[str] = []
        begin = at = 0
        while (marker := self._next(at)) is not None:
            if marker.opens:
                parts.append(self._text[begin : marker.start])
                closing = self._closing_after(marker)
                if closing is None:
                    return SpokenText(answer="", reasoned=True, unfinished=True)
                begin = at = closing.end
            else:
                parts = []
                begin = at = marker.end
        parts.append(self._text[begin:])
        with_json = (part for part in reversed(parts) if "{" in part or "[" in part)
        return SpokenText(answer=next(with_json, parts[-1]), reasoned=begin > 0)

    def _closing_after(self, opening: _Marker) -> _Marker | None:
        """Return the end of reasoning: of the same name if there is one, else any of the kind."""
        for name in (opening.name, ""):
            closing = self._closing[name]
            index = bisect_right(closing, opening.start, key=lambda marker: marker.start)
            if index < len(closing):
                return closing[index]
        return None

    def _next(self, at: int) -> _Marker | None:
        """Return the next marker that is in no JSON value."""
        while (match := _OUTSIDE_JSON.search(self._text, at)) is not None:
            if match["json"] is None:
                at = match.end()
            elif (end := self._end_of_json(match.start())) is not None:
                at = end
                continue
            else:
                match = self._in_broken_json(match.start())
                if match is None:
                    return None
                at = match.end()
                if match["bracket"]:
                    continue
            marker = _Marker.of(match)
            if marker is not None:
                return marker
        return None

    def _end_of_json(self, start: int) -> int | None:
        self._decodes_left -= 1
        return _end_of_json(self._text, start) if self._decodes_left > 0 else None

    def _in_broken_json(self, start: int) -> re.Match[str] | None:
        """Return the last bracket of the JSON at `start`, or a marker between its strings."""
        depth = 0
        for match in _INSIDE_JSON.finditer(self._text, start):
            if match["bracket"]:
                depth += 1 if match["bracket"] in "{[" else -1
            if depth <= 0 or not (match["bracket"] or match["string"]):
                return match
        return None


def _end_of_json(text: str, start: int) -> int | None:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return None
