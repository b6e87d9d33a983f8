"""The signs in a prompt that a translation does not change: all that the model may react to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_HOLDER = "\ue000%d\ue001"
_JSON_START = re.compile(r"[{\[]\s*[{\[\"]")
_MOST_JSON = 40
_STOPS = "!?;\u3002\uff01\uff1f\uff1b\uff61\u061f\u061b\u06d4\u0964\u0965\u2026"
_CLOSERS = "\"'\u201c\u201d\u2019\u00bb\u300d\u300f)\\]*_"
_MARKS = re.compile(
    r"""
    \ue000(?P<json>\d+)\ue001
  | ```[^\n`]*\n(?P<fence>[\s\S]*?)(?:\n[ \t]*```|\Z)
  | <(?P<tag>[a-z][a-z0-9_-]*)>(?P<tagged>[^<]{1,800})</(?P=tag)>
  | (?P<loose></?[a-z][a-z0-9_-]*\s*/?>)
  | (?P<blockquote>^(?:[ \t]*>[^\n]*(?:\n|\Z))+)
  | (?P<indented>(?<=\n\n)(?:(?:[ ]{4,}|\t)(?![ \t]|[-*+\u2022]\s|\d+[.)]\s)[^\n]+(?:\n|\Z))+)
  | (?P<item>^[ \t]*(?:[-*+\u2022\u25e6\u25aa\u2023\u2013\u2014]
      |\(?\d{1,3}[.)\u3001\uff0e]|\#{1,6})[ \t]+)
  | (?P<paragraph>\n(?:[ \t]*\n)+)
  | (?P<line>\n)
  | (?P<colon>[:\uff1a](?=[*_ \t]*(?:\n|\Z)))
  | `(?P<code>[^`\n]{1,200})`
  | (?<!\d)"(?P<q1>[^"]{1,800})"
  | \u201e(?P<q2>[^\u201c\u201d"]{1,800})[\u201c\u201d"]
  | \u201c(?P<q3>[^\u201d]{1,800})\u201d
  | \u00ab(?P<q4>[^\u00bb]{1,800})\u00bb
  | \u00bb(?P<q5>[^\u00ab]{1,800})\u00ab
  | \u300c(?P<q6>[^\u300d]{1,800})\u300d
  | \u300e(?P<q7>[^\u300f]{1,800})\u300f
  | (?<!\w)['\u2018](?=\S)(?P<q8>(?:[^'\u2018\u2019\n]|(?<=\w)['\u2019](?=\w)){1,400}?)
      (?<=\S)['\u2019](?!\w)
  | \[(?P<bracket>[^\[\]\n]{2,80})\](?!\()
  | (?P<name>\b[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\b)
  | (?P<number>\d+(?:[.,]\d+)*)(?P<percent>\s?[%\uff05\u066a])?
  | (?P<sign>[%\uff05\u066a])
  | (?P<abbreviation>[^\W\d_]+(?:\.[^\W\d_]+)+\.?)
  | (?P<stop>[{stops}]+|\.+(?=\s|$|[{closers}]))
  | (?P<word>[^\W\d_]+)
    """.replace("{stops}", _STOPS).replace("{closers}", _CLOSERS),
    re.VERBOSE | re.MULTILINE,
)
_QUOTES = tuple(f"q{n}" for n in range(1, 9))
_BLOCKS = frozenset({"fence", "tagged", "indented", "blockquote"})
_JOINED = re.compile(r"\s*(?:[-\u2010-\u2015~\u301c\uff5e]\s*)?|\s*(?:[^\W\d_]+\s*){1,2}")
_LONGEST_JOINT = 10
_PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True, slots=True)
class Mark:
    """One sign: its kind, what it holds, and for a range of numerals both ends.

    Kinds: example, json, quote, code, bracket, name, number, percent, stop, colon (at the end of
    a line), line, item, paragraph, word.
    """

    kind: str
    text: str = ""
    low: int = 0
    high: int = 0
    value: Any = None


@lru_cache(maxsize=32)
def marks(text: str) -> tuple[Mark, ...]:
    """Return the signs of `text` in order; two numerals that form a range are one sign.

    Cached, because the calls of a cell differ in their messages more than in their prompts.
    """
    return tuple(_marks(text))


def _marks(text: str) -> Iterator[Mark]:
    text, values = _without_json(text)
    pending: tuple[int, Mark] | None = None
    for match in _MARKS.finditer(text):
        mark = _mark(match, values)
        if pending is not None:
            between = text[pending[0] : match.start()]
            if mark.kind == "word" and len(between) <= _LONGEST_JOINT:
                continue
            if mark.kind in {"number", "percent"} and _is_range(pending[1], between, mark):
                yield Mark(mark.kind, mark.text, low=pending[1].low, high=mark.high)
                pending = None
                continue
            yield pending[1]
            # The words between the numerals did not join a range, so they count as words.
            if any(sign.isalpha() for sign in between):
                yield Mark("word")
            pending = None
        if mark.kind == "number":
            pending = match.end(), mark
        else:
            yield mark
    if pending is not None:
        yield pending[1]


def _is_range(first: Mark, between: str, second: Mark) -> bool:
    near = len(between) <= _LONGEST_JOINT and _JOINED.fullmatch(between) is not None
    # Two numerals far apart and joined by a word are more likely two demands than one.
    most = 3 if any(sign.isalpha() for sign in between) else 10
    return near and first.low < second.high <= most * max(1, first.low)


def _mark(match: re.Match[str], values: list[Any]) -> Mark:
    kind = str(match.lastgroup)
    content = match[kind]
    if kind in _BLOCKS:
        inside = re.sub(r"(?m)^[ \t]*>[ \t]?", "", content) if kind == "blockquote" else content
        lone = _PLACEHOLDER.fullmatch(inside.strip())
        mark = Mark("example", _restored(inside, values))
        return mark if lone is None else Mark("json", value=values[int(lone[1])])
    if kind == "json":
        return Mark("json", value=values[int(content)])
    if kind in _QUOTES:
        return Mark("quote", _restored(content, values))
    if kind in {"percent", "sign"}:
        whole = re.split(r"[.,]", match["number"] or "0")[0]
        return Mark("percent", content, high=int(whole[:6]))
    if kind == "number":
        return _number(content)
    if kind in {"abbreviation", "loose"}:
        return Mark("word")
    return Mark(kind, content if kind in {"code", "bracket", "name"} else "")


def _restored(text: str, values: list[Any]) -> str:
    return _PLACEHOLDER.sub(
        lambda m: json.dumps(values[int(m[1])], ensure_ascii=False), text
    ).strip()


def _number(text: str) -> Mark:
    if not text.isdecimal() or len(text) > 6:
        return Mark("word")
    return Mark("number", low=int(text), high=int(text))


def _without_json(text: str) -> tuple[str, list[Any]]:
    """Return `text` with its JSON values replaced by signs, and the values.

    Some clients double the braces of a schema that they put into a prompt.
    """
    values: list[Any] = []
    out: list[str] = []
    at = 0
    decoder = json.JSONDecoder()
    for _ in range(_MOST_JSON):
        start = _JSON_START.search(text, at)
        if start is None:
            break
        out.append(text[at : start.start()])
        value, at = _decoded(decoder, text, start.start())
        if value is None:
            out.append(text[start.start()])
            at = start.start() + 1
        else:
            out.append(_HOLDER % len(values))
            values.append(value)
    out.append(text[at:])
    return "".join(out), values


def _decoded(decoder: json.JSONDecoder, text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return _doubled(decoder, text, start)
    return (value, end) if value else (None, start)


def _doubled(decoder: json.JSONDecoder, text: str, start: int) -> tuple[Any, int]:
    if not text.startswith("{{", start):
        return None, start
    rest = text[start:].replace("{{", "{").replace("}}", "}")
    try:
        value, end = decoder.raw_decode(rest)
    except (ValueError, RecursionError):
        return None, start
    # The end in the doubled text: advance until as much of it is passed, undoubled.
    passed = start
    for _ in range(end):
        passed += 2 if text.startswith(("{{", "}}"), passed) else 1
    return value, passed
