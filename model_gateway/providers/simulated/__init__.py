"""The embedded models: they cost nothing, answer at once, and what they give is never evidence."""

from __future__ import annotations

from model_gateway.providers.simulated.provider import Simulated, build

__all__ = ["Simulated", "build"]
