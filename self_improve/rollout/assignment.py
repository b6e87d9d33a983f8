"""Which version a plan gets: a pure function, so that every server says the same without asking."""

from __future__ import annotations

import hashlib
import json

_BYTES = 8
_PLACES = 2.0 ** (8 * _BYTES)


def gets_new(plan: str, step: str, salt: str, weight: float) -> bool:
    """Say whether a plan gets the new version at a weight from 0 to 100 percent.

    A plan has one place for good, and the new version is given to all places below the weight: a
    greater weight never takes it from a plan. At 0 nobody has it, at 100 everybody.
    """
    # Whole numbers: a place so near to the end that a float would round it up stays below 100 %.
    return _place("version", plan, step, salt) * 100 < weight * _PLACES


def is_shown(plan: str, step: str, salt: str, share: float) -> bool:
    """Say whether a plan's readers are asked to vote; independent of the version it gets."""
    return _place("shown", plan, step, salt) < share * _PLACES


def _place(purpose: str, *names: str) -> int:
    """Return a whole number below 2 ** 64 that is spread evenly over names."""
    text = json.dumps([purpose, *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_BYTES], "big")
