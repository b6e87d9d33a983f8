"""Reads the body of an error answer: its message, its codes, and when to come back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_CODES = ("code", "type", "status", "reason", "quotaId")
_SECONDS = re.compile(r"^(\d+(?:\.\d+)?)s$")
_TRY_AGAIN = re.compile(
    r"(?:try again|retry) (?:in|after) (?=\d)"
    r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?) ?s(?:ec\w*)?)?\b"
)
_MILLISECONDS_SINCE_1970 = 1e11


@dataclass(frozen=True, kw_only=True)
class ErrorBody:
    """The informative parts of an error body; the rest may repeat the request.

    `wait` is in seconds, where the body names a time. `flagged` says that a router's moderation
    declined the prompt.
    """

    message: str = ""
    codes: frozenset[str] = frozenset()
    flagged: bool = False
    wait: float | None = None

    @classmethod
    def of(cls, text: str) -> ErrorBody:
        """Read the body in any of the forms that servers use."""
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            # A page of HTML is less informative than its status.
            return cls(message="" if text.lstrip().startswith("<") else text)
        if isinstance(body, list) and len(body) == 1 and isinstance(body[0], dict):
            body = body[0]  # Google's servers wrap it into a list.
        outer = body if isinstance(body, dict) else {"message": body}
        inner = outer.get("error") or _first(outer.get("errors")) or outer
        if not isinstance(inner, dict):
            inner = {"message": inner}
        metadata = _mapping(inner.get("metadata"))
        passed_on = _passed_on(metadata)
        details = list(_details(inner))
        levels = [outer, inner, _mapping(inner.get("innererror")), *details]
        codes = {
            str(level[name]).lower()
            for level in levels
            for name in _CODES
            if isinstance(level.get(name), str)
        }
        message = _message(inner, passed_on)
        waits = [*map(_delay, details), _reset(metadata), _said_wait(message)]
        return cls(
            message=message,
            codes=frozenset(codes | passed_on.codes if passed_on is not None else codes),
            flagged="reasons" in metadata,
            wait=next((w for w in waits if w is not None), None),
        )

    @property
    def words(self) -> str:
        """The message, and the names of quotas, which are words and no codes."""
        return " ".join([self.message, *sorted(c for c in self.codes if "per" in c)])


def _passed_on(metadata: Mapping[str, Any]) -> ErrorBody | None:
    """Return the body of another server's error that a router passes on."""
    raw = metadata.get("raw")
    return ErrorBody.of(raw) if isinstance(raw, str) and raw else None


def _message(inner: Mapping[str, Any], passed_on: ErrorBody | None) -> str:
    detail = inner.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        detail = detail[0].get("msg")
    # A router's message says nothing when it passes on another server's.
    if passed_on is not None:
        return f"{inner.get('message', '')}: {passed_on.message}"
    for words in (inner.get("message"), detail):
        if isinstance(words, str):
            return words
    return ""


def _details(inner: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield Google's details of an error, and the quotas that it names."""
    listed = inner.get("details")
    for detail in listed if isinstance(listed, list) else ():
        if isinstance(detail, dict):
            yield detail
            violations = detail.get("violations")
            if isinstance(violations, list):
                yield from (one for one in violations if isinstance(one, dict))


def _delay(detail: Mapping[str, Any]) -> float | None:
    value = detail.get("retryDelay")
    seconds = _SECONDS.match(value) if isinstance(value, str) else None
    return float(seconds[1]) if seconds is not None else None


def _said_wait(message: str) -> float | None:
    """Return the seconds that a message such as "Please try again in 7m12.5s" says."""
    said = _TRY_AGAIN.search(message)
    if said is None or not any(said.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in said.groups())
    return 3600 * hours + 60 * minutes + seconds


def _first(errors: Any) -> Any:
    return errors[0] if isinstance(errors, list) and errors else None


def _reset(metadata: Mapping[str, Any]) -> float | None:
    """Return the seconds until the moment at which OpenRouter's free calls begin again."""
    headers = _mapping(metadata.get("headers"))
    try:
        moment = float(headers.get("X-RateLimit-Reset", ""))
    except (TypeError, ValueError):
        return None
    if moment > _MILLISECONDS_SINCE_1970:
        moment /= 1000
    return max(0.0, moment - time.time())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
