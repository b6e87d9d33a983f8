"""The embedded models: free and instant; their replies are never evidence."""

from __future__ import annotations

from model_gateway.providers.simulated.provider import Simulated, build

__all__ = ["Simulated", "build"]
