"""Keys that agents say, and that journals of older versions hold; see tools/hostile/keys.py."""

from __future__ import annotations

import random
from pathlib import Path

from tools.hostile import keys
from tools.hostile.planted_keys import AGENTS, Planted, random_key
from tools.hostile.site import make_template


def test_no_key_gets_in(tmp_path: Path) -> None:
    """Not into the data repo, the forge, any git object or any output; twice the same command.

    An iteration whose journal holds a key, as those of older versions do, posts nothing.
    """
    chance = random.Random(1)
    names = {name: random_key(chance, name[:2].lower()) for name in AGENTS.values()}
    planted = Planted(site=make_template(tmp_path), keys=names, form="escaped")
    assert list(keys.answers(planted)) == []
    assert list(keys.older_journal(planted)) == []
