"""Models beside the steps: they edit, criticise, compare and report on what they are shown."""

from __future__ import annotations

from model_gateway.providers.simulated.roles.role import ROLES, Role

__all__ = ["ROLES", "Role"]
