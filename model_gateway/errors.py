"""The one error root of this package, so that callers can catch what it means to raise."""

from __future__ import annotations


class GatewayError(Exception):
    """Something the gateway refuses; the message names the thing, the cause and the remedy."""


class ConfigError(GatewayError):
    """The model configuration is wrong, incomplete or names something unknown."""


class DoorError(GatewayError):
    """The step could not reach the gateway: no socket, or the gateway went away in mid-call."""
