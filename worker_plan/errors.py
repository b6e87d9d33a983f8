"""The error root of the embedded pipeline."""

from __future__ import annotations

from model_gateway.errors import PlumblineError


class PlanError(PlumblineError):
    """Something is wrong with a plan."""


class ArtifactError(PlanError):
    """An artifact is missing, unreadable or not of the shape its reader needs."""


class StepError(PlanError):
    """A step could not do its work."""
