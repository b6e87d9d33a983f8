"""The one error root of this package, so that callers can catch what it means to raise."""

from __future__ import annotations


class RubricError(Exception):
    """A rubric that cannot be used; the message names the file and everything wrong with it."""
