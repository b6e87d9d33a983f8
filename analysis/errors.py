"""The one error root of this package."""

from __future__ import annotations


class AnalysisError(Exception):
    """An analysis cannot be made; the message names the thing, the cause and the remedy."""
