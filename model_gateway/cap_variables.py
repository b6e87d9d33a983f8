"""The environment variables that hold the caps of commands whose options set none."""

from __future__ import annotations

CAP_VARIABLES = {
    "calls": "PLUMBLINE_MAX_CALLS",
    "tokens": "PLUMBLINE_MAX_TOKENS",
    "dollars": "PLUMBLINE_MAX_COST",
}
"""By the names of the caps."""
