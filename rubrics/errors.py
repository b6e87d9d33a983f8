"""The error root of rubrics."""

from __future__ import annotations

from model_gateway.errors import PlumblineError


class RubricError(PlumblineError):
    """A rubric that cannot be used; the message names the file and everything wrong with it."""
