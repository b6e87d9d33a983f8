"""The one error root of this package, so that callers can catch what it means to raise."""

from __future__ import annotations


class PlanError(Exception):
    """Something is wrong with a plan; the message names the thing, the cause and the remedy."""


class ArtifactError(PlanError):
    """An artifact is missing, unreadable or not of the shape its reader needs."""


class StepError(PlanError):
    """A step could not do its work."""
