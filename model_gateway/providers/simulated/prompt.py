"""What a prompt asks for, by its form alone; the prompt is what optimizers change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.marks import Mark, marks
from model_gateway.providers.simulated.shape import Shape

_BRACKETED = re.compile(r"\[([^\[\]\n]{2,80})\]")
_PERCENT = re.compile("[%\uff05\u066a]")
_SHORT_PHRASE = 3
_LONGEST_NAME = 80
_MOST_UNTAGGED = 10
_LONGEST_TEXT = 40_000
_READ_AT_START, _READ_AT_END = 24_000, 12_000
_SENTENCE_ENDS = frozenset(".!?\u3002\uff01\uff1f\u061f\u06d4\u0964")
_SEGMENT_ENDS = frozenset({"stop", "line", "item", "paragraph"})
_STATEMENT_ENDS = frozenset({"stop", "item", "paragraph"})


@dataclass(frozen=True)
class Range:
    """A numeral (with equal ends) or a range of numerals in the prompt."""

    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class PromptForm:
    """A prompt by form.

    `clauses` is its length. `examples` are the example texts by field, those without one under "".
    `phrases` counts short quoted phrases, `placeholders` are the texts inside square brackets,
    `percents` is the number of percent signs. `numerals` are, by field, the numerals of every
    statement that names the field; `loose` are the numerals of statements that name none.
    `mentions` counts the statements that name a field. `reminders` is the number of clauses in the
    user messages. `schema` is a schema in the text.
    """

    clauses: int = 0
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    phrases: Mapping[str, int] = field(default_factory=dict)
    placeholders: tuple[str, ...] = ()
    percents: int = 0
    numerals: Mapping[str, tuple[tuple[Range, ...], ...]] = field(default_factory=dict)
    loose: tuple[Range, ...] = ()
    mentions: Mapping[str, int] = field(default_factory=dict)
    reminders: int = 0
    schema: Mapping[str, Any] | None = None

    def asked(self, name: str) -> tuple[Range, ...]:
        """Return the numerals of the first statement about the field `name` that has any."""
        return next((ranges for ranges in self.numerals.get(name, ()) if ranges), ())


def read(system: str, user: str, shape: Shape, *, tagged: bool) -> PromptForm:
    """Read a prompt: the system text, the user text outside blocks, and `shape`'s descriptions."""
    reader = _Reader(shape)
    reader.text(system)
    before = reader.clauses
    reader.text(user)
    reminders = reader.clauses - before
    if not tagged:
        # The message is material too, and a long plan must not count as a long prompt.
        reader.clauses = before + min(reminders, _MOST_UNTAGGED)
        reminders = 0
    for node in shape.walk():
        if node.description:
            reader.text(node.description, owner=node.name)
    return PromptForm(
        clauses=reader.clauses,
        examples={name: tuple(texts) for name, texts in reader.examples.items()},
        phrases=reader.phrases, placeholders=tuple(reader.placeholders),
        percents=reader.percents,
        numerals={name: tuple(ranges) for name, ranges in reader.numerals.items()},
        loose=tuple(reader.loose), mentions=reader.mentions, reminders=reminders,
        schema=reader.schema,
    )  # fmt: skip


class _Reader:
    def __init__(self, shape: Shape) -> None:
        self._fields = {p.name.casefold(): p.name for p in shape.walk() if p.name}
        self._values = {str(c).casefold() for p in shape.walk() for c in p.choices}
        self.clauses = 0
        self.examples: dict[str, list[str]] = {}
        self.phrases: Counter[str] = Counter()
        self.placeholders: dict[str, None] = {}
        self.percents = 0
        self.numerals: dict[str, list[tuple[Range, ...]]] = {}
        self.loose: list[Range] = []
        self.mentions: Counter[str] = Counter()
        self.schema: Mapping[str, Any] | None = None
        self._owner = ""
        self._near = ""
        self._item: str | None = None
        self._leads_on = False
        self._statement: list[Range | str] = []
        self._open = False

    def text(self, text: str, *, owner: str = "") -> None:
        if len(text) > _LONGEST_TEXT:
            # A message of that length is mostly material; the question is at its ends.
            text = f"{text[:_READ_AT_START]}\n\n{text[-_READ_AT_END:]}"
        self._owner = self._near = owner
        self._item = None
        last = Mark("paragraph")
        for mark in marks(text):
            if mark.kind in _SEGMENT_ENDS:
                closed = mark.kind == "line" and _is_whole(last)
                if mark.kind == "line":
                    self._leads_on = False
                self._end(Mark("stop") if closed else mark)
            else:
                self._open = True
                self._take(mark)
            last = mark
        self._end(Mark("paragraph"))

    def _end(self, mark: Mark) -> None:
        self.clauses += self._open
        self._open = False
        if mark.kind in _STATEMENT_ENDS:
            self._state()
        if mark.kind in {"item", "paragraph"}:
            self._item = None if mark.kind == "paragraph" else ""
        # A paragraph that ends with a colon or an example continues in the next one.
        if mark.kind == "paragraph" and not self._leads_on:
            self._near = self._owner

    def _take(self, mark: Mark) -> None:
        self._leads_on = mark.kind in {"colon", "example", "json"}
        if mark.kind == "number":
            self._statement.append(Range(mark.low, mark.high))
        elif mark.kind in {"name", "code"}:
            self._field(mark.text)
        elif mark.kind == "percent":
            self.percents += 1
        elif mark.kind == "bracket":
            self._placeholder(mark.text)
        elif mark.kind == "quote":
            self._quote(mark.text)
        elif mark.kind == "example":
            self._example(mark.text)
        elif mark.kind == "json":
            self._json(mark.value)

    def _field(self, text: str) -> bool:
        name = self._fields.get(text.strip().strip('"').rstrip(":").casefold())
        if name is not None:
            self._statement.append(name)
            self._near = name
        return name is not None

    def _quote(self, text: str) -> None:
        if len(text) <= _LONGEST_NAME and (
            self._field(text) or text.casefold() in self._values or words.size(text) == 0
        ):
            return
        if words.size(text) > _SHORT_PHRASE:
            self._example(text)
            return
        bracketed = _BRACKETED.fullmatch(text)
        if bracketed is not None:
            self._placeholder(bracketed[1])
        elif _PERCENT.search(text) is not None:
            self.percents += 1
        elif any(sign.isalpha() for sign in text):
            self.phrases[text] += 1

    def _example(self, text: str) -> None:
        for inside in marks(text):
            if inside.kind == "bracket":
                self._placeholder(inside.text)
            elif inside.kind == "stop":
                self.clauses += 1
        self.percents += len(_PERCENT.findall(text))
        if words.size(text):
            self.examples.setdefault(self._near, []).append(text)

    def _json(self, value: Any) -> None:
        if isinstance(value, Mapping) and isinstance(value.get("properties"), Mapping):
            self.schema = value
            return
        near = self._near
        for name, text in _strings(value):
            owner = self._fields.get(name.casefold())
            if owner is not None and words.size(text) > _SHORT_PHRASE:
                self._near = owner
                self._example(text)
        self._near = near

    def _placeholder(self, text: str) -> None:
        if any(sign.isalpha() for sign in text) and not text.startswith(('"', "'")):
            self.placeholders[text] = None

    def _state(self) -> None:
        """Assign the numerals of a statement to the fields that it names.

        A statement that begins with a numeral has its numerals before the names, others after.
        One without a name is about the first name of its list item.
        """
        statement, self._statement = self._statement, []
        names = [one for one in statement if isinstance(one, str)]
        numbers = [one for one in statement if isinstance(one, Range)]
        self.mentions.update(set(names))
        if not names:
            about = self._owner or self._item
            if about and numbers:
                self.numerals.setdefault(about, []).append(tuple(numbers))
            elif not about:
                self.loose.extend(numbers)
            return
        if self._item == "":
            self._item = names[0]
        backwards = isinstance(statement[0], Range)
        ordered = statement[::-1] if backwards else statement
        numerals: dict[str, list[Range]] = {}
        name = names[-1] if backwards else names[0]
        for one in ordered:
            if isinstance(one, str):
                name = one
            else:
                numerals.setdefault(name, []).append(one)
        for name, ranges in numerals.items():
            in_order = ranges[::-1] if backwards else ranges
            self.numerals.setdefault(name, []).append(tuple(in_order))


def _is_whole(mark: Mark) -> bool:
    """Whether a line that ends with `mark` has ended its sentence inside a quote."""
    return mark.kind == "example" or (mark.kind == "quote" and mark.text[-1:] in _SENTENCE_ENDS)


def _strings(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)
