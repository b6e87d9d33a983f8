"""Classifies the errors of any SDK over HTTP, with messages free of keys and requests."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.error_body import ErrorBody
from model_gateway.error_kinds import kind_of_answer
from model_gateway.event_streams import BEGUN
from model_gateway.keys import Redactor
from model_gateway.large_replies import ReplyBoundError
from model_gateway.provider import ProviderError
from model_gateway.providers.remedies import remedy_for
from model_gateway.visible import one_line, sound

_LONGEST = 300
_LONGEST_REASON = 180
_LONGEST_READ = 1_000_000
_LONGEST_WAIT = 86_400.0
_HOUR = 3600.0
_NO_STATUS = 600
_REPLIED = ("choices", "content", "message")
_STATUS_OF_TYPE = {
    "invalid_request_error": HTTPStatus.BAD_REQUEST,
    "not_found_error": HTTPStatus.NOT_FOUND,
    "rate_limit_error": HTTPStatus.TOO_MANY_REQUESTS,
}
_MENDED_IN_THE_ENTRY = frozenset(
    {FailureKind.configuration, FailureKind.access, FailureKind.model_not_found}
)

# The SDKs use different HTTP libraries (httpx, httpx2), so errors are matched by class name.
_LATE = {"TimeoutException", "TimeoutError", "APITimeoutError"}
_NEVER_SENT_LATE = {"ConnectTimeout", "PoolTimeout"}
_NOT_SENT = {"ConnectError", "ConnectionRefusedError", "gaierror", "ProxyError"}
_UNUSABLE = {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "TooManyRedirects"}
_BROKEN = {"TransportError", "APIConnectionError", "OSError", "ClientConnectionError"}
_UNREADABLE = {
    "DecodingError",
    "JSONDecodeError",
    "UnicodeDecodeError",
    "ValidationError",
    "RecursionError",
    "APIResponseValidationError",
}


@dataclass(frozen=True, kw_only=True)
class ErrorSource:
    """The entry and the server that a message about a model names."""

    model: Model
    url: str
    redact: Redactor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "redact", self.model.redactor())

    @property
    def server(self) -> str:
        """The server, without a user name or password in its address."""
        parts = urlsplit(self.url)
        return parts.netloc.rpartition("@")[2] or self.url

    def text(self, text: str) -> str:
        """Return `text` on one short line, without keys."""
        return self.line(text, _LONGEST)

    def line(self, text: str, most: int) -> str:
        """Return `text` on one line of at most `most` characters, without keys."""
        # Before it is shortened: a part of a key would not be recognized. UTF-16 that was read as
        # UTF-8 has zeros between its letters.
        read = " ".join(text.replace("\0", "").split())[:_LONGEST_READ]
        clean = self.redact(sound(read))[: 2 * most]
        return one_line("".join(c if c.isprintable() else " " for c in clean), most)


def failure_of(error: Exception, source: ErrorSource) -> ProviderError:
    """Return the failure behind `error`, looking through all its causes."""
    chain = list(_chain(error))
    for link in chain:
        status = _status(link)
        if status is not None:
            return failure_of_status(status, source, text=_text(link), headers=_headers(chain))
    kind, billed, what = _of_kinds(chain, source)
    return ProviderError(kind, source.text(what), billed=billed)


def failure_of_status(
    status: int,
    source: ErrorSource,
    *,
    text: str,
    headers: Mapping[str, str] | None = None,
    billed: bool = False,
) -> ProviderError:
    """Return the failure of an error status, with the server's message."""
    if status < HTTPStatus.BAD_REQUEST:
        return _redirected(status, source, headers or {})
    body = ErrorBody.of(text)
    wait = _retry_after(headers or {})
    wait = body.wait if wait is None else wait
    kind = FailureKind.refused if body.flagged else kind_of_answer(status, body.codes, body.words)
    kind = _of_a_day(kind, wait, source.model)
    reason = source.line(body.message, _LONGEST_REASON) or _phrase(status)
    remedy = _remedy(status, source.model) if kind in _MENDED_IN_THE_ENTRY else ""
    if kind in {FailureKind.configuration, FailureKind.server}:
        remedy = remedy or remedy_for(body.message, source.model)
    return ProviderError(
        kind,
        source.text(f"the server answered {status}: {reason}{remedy}"),
        retry_after=wait,
        billed=billed,
    )


def failure_in(value: Any, source: ErrorSource) -> ProviderError | None:
    """Return the failure that a body of a success status holds in place of a reply, or None."""
    if not isinstance(value, dict):
        return None
    bare = value.get("object") == "error"
    if not bare and any(value.get(name) for name in _REPLIED):
        return None
    # vLLM's error is the body itself, FastAPI's is its detail.
    error = value if bare else value.get("error") or value.get("detail")
    if not isinstance(error, dict | str) or not error:
        return None
    named = error if isinstance(error, dict) else {}
    status = next((s for k in ("code", "status", "type") if (s := _as_status(named.get(k)))), None)
    if status is None:
        status = HTTPStatus.BAD_REQUEST if bare else HTTPStatus.BAD_GATEWAY
    return failure_of_status(
        status,
        source,
        text=json.dumps({"error": error}),
        billed=value.get(BEGUN) is True,
    )


def _as_status(value: Any) -> int | None:
    """Return the error status that a code is, or that a type stands for."""
    if isinstance(value, str):
        value = int(value) if value.isdecimal() else _STATUS_OF_TYPE.get(value)
    if isinstance(value, int) and HTTPStatus.BAD_REQUEST <= value < _NO_STATUS:
        return int(value)
    return None


def _of_a_day(kind: FailureKind, wait: float | None, model: Model) -> FailureKind:
    """Return whether a rate limit is definite: a limit of a day whose window moves may pass."""
    if wait is None or kind not in {FailureKind.daily_limit, FailureKind.rate_limit}:
        return kind
    if wait < model.deadline_seconds:
        return FailureKind.rate_limit
    return FailureKind.daily_limit if wait >= _HOUR else kind


def _redirected(status: int, source: ErrorSource, headers: Mapping[str, str]) -> ProviderError:
    """Return the failure of a reply that names another address, to which nothing is sent."""
    address = next((v for n, v in headers.items() if n.lower() == "location"), "")
    where = f" ({source.line(address, _LONGEST_REASON)})" if address else ""
    variable = source.model.base_url_env
    setting = f"base_url in its entry, or {variable}" if variable else "base_url in its entry"
    what = (
        f"the server answered {status} and names another address{where}, but no redirect is "
        f"followed; correct {setting}"
    )
    return ProviderError(FailureKind.configuration, source.text(what))


def _remedy(status: int, model: Model) -> str:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and model.key_env:
        return f"; check the key in {model.key_env}"
    if status == HTTPStatus.NOT_FOUND:
        return f"; check the model id {model.model_id} and the server's address"
    return ""


def _of_kinds(chain: list[BaseException], source: ErrorSource) -> tuple[FailureKind, bool, str]:
    names = {c.__name__ for link in chain for c in type(link).__mro__}
    last = _last_words(chain)
    for link in chain:
        if isinstance(link, ReplyBoundError):
            what = f"the reply of {source.server} could not be read: {link}"
            return FailureKind.connection, True, what
    if names & _UNUSABLE:
        what = f"nothing can be sent to {source.server}; check the address and the key of the entry"
        return FailureKind.configuration, False, what
    if names & _LATE:
        what = f"{source.server} did not answer in time"
        return FailureKind.timeout, not names & _NEVER_SENT_LATE, what
    if names & _NOT_SENT:
        what = f"cannot connect to {source.server} ({last}){_other_address(source.model)}"
        return FailureKind.connection, False, what
    if names & _BROKEN:
        return FailureKind.connection, True, f"the connection to {source.server} broke: {last}"
    if names & _UNREADABLE:
        what = f"the reply of {source.server} could not be read ({min(names & _UNREADABLE)})"
        return FailureKind.connection, True, what
    what = f"{type(chain[0]).__name__}: {chain[0]}"
    return FailureKind.configuration, True, what


def _other_address(model: Model) -> str:
    where = f", or set {model.base_url_env}" if model.base_url_env else ""
    return f"; start the server{where}" if model.local else f"; check base_url in its entry{where}"


def _last_words(chain: list[BaseException]) -> str:
    for link in reversed(chain):
        words = (link.strerror if isinstance(link, OSError) else None) or str(link)
        if words:
            return words
    return type(chain[-1]).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        # A suppressed context still holds the cause: Ollama's client raises everything `from None`.
        link = link.__cause__ or link.__context__


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for owner in (error, response):
        for name in ("status_code", "status", "code"):
            value = getattr(owner, name, None)
            if isinstance(value, int) and value >= HTTPStatus.MULTIPLE_CHOICES:
                return int(value)
    return None


def _text(error: BaseException) -> str:
    # A streamed reply that was never read has no text.
    with contextlib.suppress(RuntimeError):
        text = getattr(getattr(error, "response", None), "text", None)
        if isinstance(text, str):
            return text
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        return json.dumps(body, default=str)
    message = getattr(error, "error", None)
    return message if isinstance(message, str) else str(error)


def _headers(chain: list[BaseException]) -> Mapping[str, str]:
    for link in chain:
        for owner in (getattr(link, "response", None), link):
            headers = getattr(owner, "headers", None)
            if isinstance(headers, Mapping):
                return headers
    return {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that the headers give, as a number or as a date."""
    by_name = {name.lower(): value for name, value in headers.items()}
    wait = _number(by_name.get("retry-after-ms"))
    if wait is not None:
        wait /= 1000
    else:
        value = by_name.get("retry-after")
        wait = _number(value)
        if wait is None and value is not None:
            with contextlib.suppress(ValueError):
                wait = parsedate_to_datetime(value).timestamp() - time.time()
    return None if wait is None else min(max(wait, 0.0), _LONGEST_WAIT)


def _number(value: str | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
