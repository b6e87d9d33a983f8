"""The one error root of this package, so that callers can catch what it means to raise."""

from __future__ import annotations


class LabError(Exception):
    """Something the data repo refuses; the message names the thing, the cause and the remedy."""
