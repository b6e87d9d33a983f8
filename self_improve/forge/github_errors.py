"""What GitHub's errors mean, in plain words, and which of them may go away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from prompt_lab.markup import plain_line
from self_improve.forge.forge import (
    ForgeError,
    MissingError,
    MovedError,
    RefusedError,
    UnreachableError,
)
from self_improve.forge.patience import Later

_SECONDARY_WAIT = 60.0  # What GitHub asks for where it names no time.
_LIMITED = ("rate limit", "abuse detection")


def judge(error: Exception, what: str, clean: Callable[[str], str]) -> Later | ForgeError | None:
    """Return what an error of PyGithub or of the network means for `what` was asked.

    `clean` takes secrets out of what the other side said. None stands for an error of our own.
    """
    # Imported here because it takes a third of a second; an error means that it was imported.
    from github import BadAttributeException, GithubException
    from github.GithubException import IncompletableObject
    from requests import RequestException, Timeout

    if isinstance(error, ForgeError):
        return error
    if isinstance(error, Timeout):
        return Later(error=UnreachableError(f"{what}: no answer in time."), wait=None)
    if isinstance(error, RequestException):
        told = f"{what}: it cannot be reached ({type(error).__name__})."
        return Later(error=UnreachableError(told), wait=None)
    if isinstance(error, GithubException) and not isinstance(error, IncompletableObject):
        said = plain_line(clean(_said(error.data)), most=300)
        return _of_status(error.status, what, said, error.headers or {})
    # What PyGithub says where an answer has another shape or leads elsewhere.
    odd = (BadAttributeException, IncompletableObject, AssertionError, RuntimeError, ValueError,
           TypeError, AttributeError)  # fmt: skip
    if isinstance(error, odd):
        told = plain_line(clean(str(error)), most=200)
        return ForgeError(f"{what}: the answer is none of GitHub's: {type(error).__name__} {told}")
    return None


def _of_status(status: int, what: str, said: str, headers: Mapping[str, Any]) -> Later | ForgeError:
    limited = (
        status == 429
        or "retry-after" in headers
        or (
            status == 403 and (_spent(headers) or any(word in said.casefold() for word in _LIMITED))
        )
    )
    if status in (403, 429) and limited:
        asked = _wait(headers)
        wait = _SECONDARY_WAIT if asked is None else asked
        told = f"{what}: too many requests; it wants to be asked again in {wait:.0f} seconds."
        return Later(error=UnreachableError(told), wait=wait)
    if status >= 500:
        told = f"{what}: it is in trouble ({status} {said})."
        return Later(error=UnreachableError(told), wait=_wait(headers))
    if status == 401:
        return RefusedError(f"{what}: the token is not accepted (401 {said}). Set GITHUB_TOKEN.")
    if status == 403:
        return RefusedError(f"{what}: this token may not do that (403 {said}).")
    if status in (404, 410):
        return MissingError(f"{what}: it is not there, or this token may not see it ({status}).")
    if status == 409:
        return MovedError(f"{what}: the branch moved meanwhile ({status} {said}).")
    return RefusedError(f"{what}: refused ({status} {said}).")


def _said(data: Any) -> str:
    """Return the message in an answer, with the details of what was wrong."""
    if not isinstance(data, dict):
        return "" if data is None else str(data)
    details = data.get("errors")
    rows = details if isinstance(details, list) else []
    told = [
        row if isinstance(row, str)
        else str(row.get("message") or f"{row.get('field')}: {row.get('code')}")
        for row in rows
        if isinstance(row, str | dict)
    ]  # fmt: skip
    return ". ".join([str(data.get("message") or ""), *told])


def _spent(headers: Mapping[str, Any]) -> bool:
    return str(headers.get("x-ratelimit-remaining", "")) == "0"


def _wait(headers: Mapping[str, Any]) -> float | None:
    """Return how many seconds it wants us to wait, None if it does not say."""
    after = str(headers.get("retry-after", "")).strip()
    reset = str(headers.get("x-ratelimit-reset", ""))
    if after.isdecimal():
        return float(after)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except ValueError:
            return None
    if _spent(headers) and reset.isdecimal():
        return max(0.0, float(reset) - time.time()) + 1
    return None
