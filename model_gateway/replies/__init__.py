"""Finds the value in a model's reply, or says what is wrong with the reply."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import ValidationError

from model_gateway import validation
from model_gateway.call import Failure, FailureKind, R
from model_gateway.replies.json_reader import JsonReader
from model_gateway.replies.mending import JsonCandidate, Mend, mended_again, unwrapped
from model_gateway.replies.parts import parts
from model_gateway.replies.reasoning import SpokenText, set_aside

__all__ = ["Mend", "ParsedReply", "json_in", "parse"]

_MOST_ERRORS = 6


@dataclass(frozen=True, kw_only=True)
class ParsedReply(Generic[R]):
    """What a reply's text holds: a value, a recovered part of one, or a failure.

    `mended` names what had to be mended to read the value.
    """

    value: R | None = None
    partial: bool = False
    failure: Failure | None = None
    mended: tuple[Mend, ...] = ()


def parse(text: str, schema: type[R], *, cut_off: bool, last: bool) -> ParsedReply[R]:
    """Read `text` as a `schema`.

    Reasoning is set aside; code fences and prose around the JSON are skipped. A reply that broke
    off counts as truncated; when no further attempt follows (`last`), its complete part is kept and
    marked partial. `cut_off` says that the provider reported the length limit.
    """
    spoken = set_aside(text)
    if spoken.unfinished:
        return _failed(FailureKind.truncated, "the reply ends inside its reasoning")
    if not spoken.answer.strip():
        return _empty(spoken, cut_off=cut_off)
    reader = JsonReader(spoken.answer)
    reading = _Reading(schema)
    for candidate in reader.values():
        reading.add(candidate)
    reply = reading.reply()
    if reply is not None and reader.unclosed and reading.is_another(reader.unclosed, reply.value):
        return _failed(
            FailureKind.truncated, "the reply broke off inside a second value, unlike the first"
        )
    if reply is not None:
        return reply
    if reader.unclosed is not None and (cut_off or not isinstance(reading.misfit, dict)):
        value = _recovered(reader.unclosed, schema) if last else None
        if value is not None:
            return ParsedReply(value=value, partial=True)
        return _failed(FailureKind.truncated, "the reply broke off inside its JSON")
    return _misfit(reading, reader, cut_off=cut_off)


def json_in(text: str, mended: Collection[str] = ()) -> Any:
    """Return the complete part of the likeliest JSON object or array in `text`, or None.

    `mended` is what was recorded when the reply was read as a schema: the same part is returned.
    """
    spoken = set_aside(text)
    if not spoken.answer.strip():
        return None
    reader = JsonReader(spoken.answer)
    for candidate in reader.values():
        return mended_again(candidate.value, mended)
    return next(parts(reader.unclosed), None) if reader.unclosed is not None else None


class _Reading(Generic[R]):
    """The values of one reply, read as a schema: which fit, and why the others do not."""

    def __init__(self, schema: type[R]) -> None:
        self._schema = schema
        self._fits: list[tuple[R, JsonCandidate]] = []
        self._misfits: list[JsonCandidate] = []
        self.problem: ValidationError | None = None
        self.misfit: Any = None

    def add(self, candidate: JsonCandidate) -> None:
        """Take the next value."""
        try:
            value = self._schema.model_validate(candidate.value)
        except ValidationError as error:
            self._misfits.append(candidate)
            if self.problem is None or (
                isinstance(candidate.value, dict) and not isinstance(self.misfit, dict)
            ):
                self.problem, self.misfit = error, candidate.value
        else:
            self._fits.append((value, candidate))

    def reply(self) -> ParsedReply[R] | None:
        """Return the value that counts, a failure if there are two, or None if there is none."""
        filled = [fit for fit in self._fits if fit[0].model_fields_set]
        fits = filled or self._unwrapped() or self._fits
        if not fits:
            return None
        value, candidate = fits[0]
        if any(other != value for other, _ in filled):
            return _failed(
                FailureKind.schema,
                "the reply holds several different values of the required shape",
            )
        return ParsedReply(value=value, mended=candidate.mends)

    def is_another(self, unclosed: str, value: R | None) -> bool:
        """Whether the JSON at the end begins a value of the required shape, other than `value`."""
        if value is None:
            return False
        whole = value.model_dump(mode="json", include=set(self._schema.model_fields))
        return any(isinstance(part, dict) and _differs(part, whole) for part in parts(unclosed))

    def _unwrapped(self) -> list[tuple[R, JsonCandidate]]:
        """Return the first value that fits in a list of one, or under a wrapper key."""
        fields = self._schema.model_fields
        names = frozenset({*fields, *(field.alias for field in fields.values() if field.alias)})
        for outer in (*self._misfits, *(candidate for _, candidate in self._fits)):
            for candidate in unwrapped(outer, names):
                try:
                    value = self._schema.model_validate(candidate.value)
                except ValidationError:
                    continue
                if value.model_fields_set:
                    return [(value, candidate)]
        return []


def _differs(part: Any, whole: Any) -> bool:
    """Whether a text in `part`, which may break off, is another one than in `whole`."""
    if isinstance(part, str) and isinstance(whole, str):
        return not whole.strip().startswith(part.strip())
    if isinstance(part, dict) and isinstance(whole, dict):
        return any(_differs(part[name], whole[name]) for name in part.keys() & whole.keys())
    if isinstance(part, list) and isinstance(whole, list):
        return any(map(_differs, part, whole))
    return False


def _empty(spoken: SpokenText, *, cut_off: bool) -> ParsedReply[R]:
    if not spoken.reasoned:
        return _failed(FailureKind.empty, "the reply was empty")
    kind = FailureKind.truncated if cut_off else FailureKind.empty
    return _failed(kind, "the reply holds nothing after its reasoning")


def _misfit(reading: _Reading[R], reader: JsonReader, *, cut_off: bool) -> ParsedReply[R]:
    """Return why no value in a reply fits."""
    problem = reading.problem
    if problem is None and cut_off:
        return _failed(FailureKind.truncated, "the reply broke off before its JSON")
    if problem is None:
        return _failed(FailureKind.schema, reader.problem)
    if _is_schema(reading.misfit):
        return _failed(
            FailureKind.schema_echo, "the reply repeats the schema instead of filling it"
        )
    return _failed(FailureKind.schema, validation.summary(problem, "the reply", most=_MOST_ERRORS))


def _failed(kind: FailureKind, message: str) -> ParsedReply[R]:
    return ParsedReply(failure=Failure(kind=kind, message=message))


def _recovered(text: str, schema: type[R]) -> R | None:
    for value in parts(text):
        try:
            return schema.model_validate(value)
        except ValidationError:
            continue
    return None


def _is_schema(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("properties"), dict)
        and ("$defs" in value or value.get("type") == "object")
    )
