"""What kind of failure an error in an older record was, as today's records would name it."""

from __future__ import annotations

import re

from model_gateway.call import FailureKind

# What the clients of model servers call their exceptions; the first that fits names the kind.
_KINDS = (
    (FailureKind.configuration,
     r"Cannot create LLM|AuthenticationError|PermissionDeniedError|NotFoundError|code: 40[134]"),
    (FailureKind.rate_limit, r"RateLimitError|code: 429"),
    (FailureKind.timeout, r"Timeout|timed out"),
    (FailureKind.connection, r"ConnectionError|ConnectError|RemoteProtocolError|ReadError"),
    (FailureKind.server, r"InternalServerError|APIStatusError|code: 5\d\d"),
    (FailureKind.truncated, r"EOF while parsing|LengthFinishReasonError|IncompleteOutput"),
    (FailureKind.refused, r"ContentFilterFinishReasonError"),
    (FailureKind.schema,
     r"validation errors? for|json_invalid|JSONDecodeError|Could not extract json|ValueError\("),
)  # fmt: skip
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)
_MOST = 20_000


def kind_of(error: str) -> str | None:
    """Return the kind of the last failure that `error` tells of; None if it names none."""
    # Older records list all attempts; what ended the cell was the last.
    last = error[-_MOST:].rsplit("\n - Attempt ", 1)[-1]
    for kind, pattern in _PATTERNS:
        if pattern.search(last):
            return str(kind)
    return None
