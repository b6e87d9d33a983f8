"""The error root of analyses."""

from __future__ import annotations

from model_gateway.errors import PlumblineError


class AnalysisError(PlumblineError):
    """An analysis cannot be made."""
