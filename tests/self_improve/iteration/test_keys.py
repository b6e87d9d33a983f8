"""Keys that agents say, and that journals of older versions hold; see tools/hostile/keys.py."""

from __future__ import annotations

import pytest

from tools.hostile import keys

KINDS = (
    "keys in answers of agents",
    "keys in journals of older versions",
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_gets_in(kind: str) -> None:
    """Not into the data repo, the forge, any git object or any output; twice the same command."""
    [row] = keys.campaign(1, only=kind)
    assert row.violations == ()
    assert row.runs == 1
