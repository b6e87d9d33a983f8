"""Prompts that the code fills in: which variables a text must keep, and which it may not add."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Style(StrEnum):
    """How the code fills a text in."""

    braces = "braces"
    """`str.format`, and the templates of model libraries that use it."""
    percent = "percent"
    dollar = "dollar"
    dollar_safe = "dollar_safe"
    jinja = "jinja"
    token = "token"  # noqa: S105 - a stretch of text that is replaced, no secret


@dataclass(frozen=True, kw_only=True)
class TemplateUse:
    """One place where the code fills a text in.

    `names` are the variables that it gives; of a token, the stretch of text that it replaces.
    """

    style: Style
    names: tuple[str, ...] = ()

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "names": list(self.names)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> TemplateUse:
        """Read a use from plain JSON values."""
        return cls(style=Style(row["style"]), names=tuple(row["names"]))


_POSITION = "\0"
"""The name of all places without a name."""

Fields = dict[str, Counter[str]]
"""Variables, with what is read of each (attributes, indices) and how often."""


class _BrokenError(Exception):
    """A text cannot be used as a template; the message says why."""


_PERCENT = re.compile(
    r"%(?:\((?P<name>[^)]*)\))?[#0\- +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?P<kind>.|$)", re.DOTALL
)
_JINJA = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)")
_REMEDIES = {
    Style.braces: "; literal braces are written twice: {{ and }}",
    Style.percent: "; a literal % is written twice: %%",
    Style.dollar: "; a literal $ is written twice: $$",
    Style.jinja: "",
}


def problems(uses: Iterable[TemplateUse], old: str, new: str) -> list[str]:
    """Return why the code could not fill in `new` where it fills in `old`; nothing if it can.

    Braces of a text that the code does not fill in are plain characters: it has no uses.
    """
    listed: list[str] = []
    for use in uses:
        listed += _problems(use, old, new)
    return list(dict.fromkeys(listed))


def _problems(use: TemplateUse, old: str, new: str) -> Iterator[str]:
    if use.style is Style.token:
        gone = [token for token in use.names if token in old and token not in new]
        yield from (f"it drops {token}, which the code replaces" for token in gone)
        return
    read = _READERS[use.style]
    try:
        before = read(old)
    except _BrokenError:
        return  # Not a template of this kind: the code would fail with the baseline as well.
    if not before or any(_is_plain(name) for name in before):
        return  # The code was followed wrongly, or fills nothing in.
    try:
        after = read(new)
    except _BrokenError as error:
        yield f"its template is broken: {error}"
        return
    for name in sorted(before.keys() - after.keys()):
        yield f"it drops the variable {_shown(use.style, name)}, which the code fills in"
    if use.style is not Style.dollar_safe:
        yield from _additions(use, before, after)


def _additions(use: TemplateUse, before: Fields, after: Fields) -> Iterator[str]:
    """Yield what a text asks for and the code does not give."""
    available = before.keys() | set(use.names)
    for name in sorted(after.keys() - available):
        shown = _shown(use.style, name)
        remedy = _REMEDIES[use.style]
        yield f"it adds the variable {shown}, which the code does not fill in{remedy}"
    places = [fields.get(_POSITION, Counter()).total() for fields in (before, after)]
    if _POSITION in before and places[1] != places[0]:
        shown = _shown(use.style, _POSITION)
        yield f"it has {places[1]} places {shown}, and the code fills in {places[0]}"
    for name in sorted(after.keys() & available - {_POSITION}):
        for part in sorted(after[name].keys() - before.get(name, Counter()).keys() - {""}):
            yield f"it reads {name}{part}, which the text before does not"


def _braces(text: str) -> Fields:
    fields: Fields = {}
    rest: list[str] = [text]
    while rest:
        try:
            parts = list(string.Formatter().parse(rest.pop()))
        except ValueError as error:
            raise _BrokenError(f"{error}{_REMEDIES[Style.braces]}") from error
        for _, field, spec, conversion in parts:
            if field is None:
                continue
            root = re.split(r"[.\[]", field, maxsplit=1)[0]
            fields.setdefault(root or _POSITION, Counter())[field[len(root) :]] += 1
            if _is_plain(root):
                continue  # JSON, say: it is a variable that nobody gives.
            if conversion not in (None, "", "s", "r", "a"):
                raise _BrokenError(f"!{conversion} in {{{field}}} is not a conversion")
            if spec:
                _check_spec(field, spec)
                rest.append(spec)
    return fields


def _is_plain(name: str) -> bool:
    """Whether what stands between braces is not a name, as in JSON."""
    return name not in ("", _POSITION) and not (name.isidentifier() or name.isdecimal())


def _check_spec(field: str, spec: str) -> None:
    if "{" in spec:
        return
    for value in ("x", 1, 1.5):
        try:
            format(value, spec)
        except ValueError:
            continue
        return
    raise _BrokenError(f"{{{field}:{spec}}} is not a format of a variable")


def _percents(text: str) -> Fields:
    fields: Fields = {}
    for match in _PERCENT.finditer(text):
        kind = match["kind"]
        if kind == "%" and match[0] == "%%":
            continue
        if kind not in set("diouxXeEfFgGcrsa"):
            raise _BrokenError(
                f"{match[0]!r} is not a place for a variable{_REMEDIES[Style.percent]}"
            )
        name = match["name"]
        fields.setdefault(_POSITION if name is None else name, Counter())[""] += 1
    return fields


def _dollars(text: str) -> Fields:
    template = string.Template(text)
    if not template.is_valid():
        raise _BrokenError(f"a $ stands before no name{_REMEDIES[Style.dollar]}")
    return {name: Counter({"": 1}) for name in template.get_identifiers()}


def _safe_dollars(text: str) -> Fields:
    return {name: Counter({"": 1}) for name in string.Template(text).get_identifiers()}


def _jinja(text: str) -> Fields:
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        if text.count(opening) != text.count(closing):
            raise _BrokenError(f"{opening} and {closing} do not pair")
    return {name: Counter({"": 1}) for name in _JINJA.findall(text)}


_READERS = {
    Style.braces: _braces, Style.percent: _percents, Style.dollar: _dollars,
    Style.dollar_safe: _safe_dollars, Style.jinja: _jinja,
}  # fmt: skip


def _shown(style: Style, name: str) -> str:
    if name == _POSITION:
        return "{}" if style is Style.braces else "%s"
    if style is Style.percent:
        return f"%({name})s"
    if style in (Style.dollar, Style.dollar_safe):
        return f"${name}"
    return f"{{{{ {name} }}}}" if style is Style.jinja else f"{{{name}}}"


def merged(uses: Sequence[TemplateUse]) -> tuple[TemplateUse, ...]:
    """Return the uses of a text with one entry a style, which holds the names of all places."""
    names: dict[Style, dict[str, None]] = {}
    for use in uses:
        names.setdefault(use.style, {}).update(dict.fromkeys(use.names))
    return tuple(TemplateUse(style=style, names=tuple(of)) for style, of in sorted(names.items()))
