"""The one error root of this package, so that callers can catch what it means to raise."""

from __future__ import annotations


class ImproveError(Exception):
    """Something the optimizer refuses; the message names the thing, the cause and the remedy."""


class UsageError(ImproveError):
    """What was asked for cannot be done as asked: a wrong flag, name, file or configuration."""
