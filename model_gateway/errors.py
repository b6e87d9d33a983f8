"""The error roots of all packages: what a command refuses, and that a cap was reached."""

from __future__ import annotations


class PlumblineError(Exception):
    """The root of every package's errors; the message names the thing, the cause and the remedy."""


class BudgetReached(PlumblineError):  # noqa: N818 - an outcome: the same command resumes
    """A cap was reached; the message says which. With a higher cap the same command resumes."""


class CellsOpen(PlumblineError):  # noqa: N818 - an outcome: the same command resumes
    """Cells stayed open for reasons outside of the prompt; the same command tries them again."""


class GatewayError(PlumblineError):
    """Something the gateway refuses."""


class ConfigError(GatewayError):
    """The model configuration is wrong, incomplete or names something unknown."""


class DoorError(GatewayError):
    """The step could not reach the gateway: no socket, or the gateway ended during a call."""
