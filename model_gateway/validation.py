"""The problems in a pydantic error as text, without the values: one may be a secret."""

from __future__ import annotations

from pydantic import ValidationError


def problems(error: ValidationError, whole: str = "") -> list[str]:
    """Return a line for each problem: where it is, or `whole`, and what is wrong."""
    rows = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(map(str, row['loc'])) or whole}: {row['msg']}" for row in rows]


def summary(error: ValidationError, whole: str = "", *, most: int = 20) -> str:
    """Return the first `most` problems as one line, and how many more there are."""
    lines = problems(error, whole)
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(lines[:most]) + more
