"""What a run's record says of the run itself: what it sent, what failed, what it counts as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_gateway.call import FailureKind
from model_gateway.jsonl import read_rows
from prompt_lab.record import EVENTS, Evidence, Run

# Exceptions of the clients of model servers; the first that fits names the kind.
_KINDS = (
    (FailureKind.too_long, r"context_length_exceeded|maximum context length|prompt is too long"),
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
_MOST_CHARACTERS = 20_000
_OLDER_FORM = "the record is of an older form: it names no commit, no settings and no attempts"
_NO_DIGESTS = "done.json holds no digests, so nothing shows that the record is unchanged"

CONSTANT = "constant"


def failure_kind_in(error: str) -> str | None:
    """Return the kind of the last failure in the text `error`; None if it names none."""
    # Older records list all attempts; the last one ended the cell.
    last = error[-_MOST_CHARACTERS:].rsplit("\n - Attempt ", 1)[-1]
    for kind, pattern in _PATTERNS:
        if pattern.search(last):
            return str(kind)
    return None


def sent_surfaces(run: Run, so_far: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the surfaces that a run sent, as far as its record names them.

    A run that is not finished has no such record; `so_far` is the same for it.
    """
    listed = (run.surfaces() or so_far or {}).get("surfaces")
    return [
        row
        for row in (listed if isinstance(listed, list) else [])
        if isinstance(row, dict)
        and row.get("sent") is True
        and isinstance(row.get("kind"), str)
        and isinstance(row.get("text"), str)
    ]


def recovered_plans(path: Path) -> frozenset[str]:
    """Return the plans of an older run in which a call failed and the step continued."""
    rows = read_rows(path / EVENTS)[0]
    return frozenset(
        str(row["plan_name"]) for row in rows
        if row.get("event") == "partial_recovery" and "plan_name" in row
    )  # fmt: skip


def evidence(run: Run, *, is_older: bool) -> tuple[Evidence, tuple[str, ...]]:
    """Return what a run counts as, and why it is not better evidence."""
    if is_older:
        return Evidence.historical, (_OLDER_FORM,)
    unless_real = Evidence.simulated if run.is_simulated else Evidence.historical
    done = run.done() or {}
    recorded = done.get("evidence")
    if not isinstance(recorded, dict):
        return unless_real, ("the run is not finished",)
    listed = recorded.get("reasons")
    reasons = tuple(map(str, listed)) if isinstance(listed, list) else ()
    if not isinstance(done.get("digests"), dict):
        return unless_real, (*reasons, _NO_DIGESTS)
    is_real = recorded.get("kind") == Evidence.real and not run.is_simulated
    return Evidence.real if is_real else unless_real, reasons
