"""What GitHub's errors mean, and what to do about each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prompt_lab.markup import plain_line
from self_improve.forge.forge import (
    ForgeError,
    MissingError,
    MovedError,
    RefusedError,
    UncertainError,
    UnreachableError,
)

_LATER = "Run the same command again later."


def classify(error: Exception, what: str, clean: Callable[[str], str]) -> ForgeError | None:
    """Return what an error of PyGithub or of the network means for the request `what`.

    `clean` takes secrets out of the answer. None stands for a
    ForgeError and for an error of our own.
    """
    # Imported here because it takes a third of a second; an error means that it was imported.
    from github import BadAttributeException, GithubException
    from github.GithubException import IncompletableObject, RateLimitExceededExceedsMaxWait
    from requests.exceptions import RequestException, RetryError
    from urllib3.exceptions import MaxRetryError

    if isinstance(error, RateLimitExceededExceedsMaxWait):
        return UnreachableError(
            f"{what}: GitHub accepts the next request in {error.wait or 0:.0f} seconds. Run the "
            "same command again then."
        )
    if isinstance(error, RequestException):
        failure = error.args[0] if error.args else error
        if not isinstance(failure, MaxRetryError):  # A write, which is not simply sent again.
            return UncertainError(f"{what}: no answer ({type(error).__name__}). {_LATER}")
        reason = failure.reason if isinstance(error, RetryError) else type(failure.reason).__name__
        return UnreachableError(f"{what}: cannot be reached ({reason}). {_LATER}")
    if isinstance(error, GithubException) and not isinstance(error, IncompletableObject):
        return _of_status(error.status, what, plain_line(clean(_message(error.data)), most=300))
    # What PyGithub raises where an answer has another shape or leads elsewhere.
    odd = (BadAttributeException, IncompletableObject, AssertionError, RuntimeError, ValueError,
           TypeError, AttributeError)  # fmt: skip
    if isinstance(error, odd):
        details = plain_line(clean(str(error)), most=200)
        return ForgeError(
            f"{what}: this is not an answer of GitHub: {type(error).__name__} {details}. Check "
            "GITHUB_API_URL."
        )
    return None


def _of_status(status: int, what: str, message: str) -> ForgeError:
    if status >= 500:
        return UncertainError(f"{what}: GitHub is in trouble ({status} {message}). {_LATER}")
    if status == 401:
        return RefusedError(
            f"{what}: the token is not accepted (401 {message}). Set GITHUB_TOKEN to a valid one."
        )
    if status == 403:
        return RefusedError(
            f"{what}: this token may not do that (403 {message}). Set GITHUB_TOKEN to one that may."
        )
    if status in (404, 410):
        return MissingError(f"{what}: it is not there, or this token may not see it ({status}).")
    if status == 409:
        return MovedError(f"{what}: the branch moved meanwhile ({status} {message}).")
    return RefusedError(f"{what}: refused ({status} {message}).")


def _message(data: Any) -> str:
    """Return the message in an answer, with the details of what was wrong."""
    if not isinstance(data, dict):
        return "" if data is None else str(data)
    details = data.get("errors")
    rows = details if isinstance(details, list) else []
    texts = [
        row if isinstance(row, str)
        else str(row.get("message") or f"{row.get('field')}: {row.get('code')}")
        for row in rows
        if isinstance(row, str | dict)
    ]  # fmt: skip
    return ". ".join([str(data.get("message") or ""), *texts])
