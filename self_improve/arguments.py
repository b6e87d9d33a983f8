"""What flags of several commands mean."""

from __future__ import annotations

import argparse

SPEEDS = ("ALL_DETAILS_BUT_SLOW", "FAST_BUT_SKIP_DETAILS", "PING_LLM")


def names_in(options: argparse.Namespace) -> list[str]:
    """Return the names of models from `--model` and `--models`, in their order."""
    listed = [name.strip() for group in options.models for name in group.split(",")]
    return [name for name in (*options.model, *listed) if name]
