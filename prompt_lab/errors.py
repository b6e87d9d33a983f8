"""The error root of the data repo."""

from __future__ import annotations

from model_gateway.errors import PlumblineError


class LabError(PlumblineError):
    """Something the data repo refuses."""
