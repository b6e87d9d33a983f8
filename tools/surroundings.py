"""What is around an item that is damaged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a damage may use besides the item.

    `items` are the items beside it as they were, and `number` is its own place among them,
    `donor` that of the one that says most;
    `foreign` are the items of the same step in another plan; `corpus` is a long text in another
    language that is written in the same script, empty if there is none; `references` are the paths
    of the fields that name something; `chance` draws, always the same for the same item.
    """

    items: Sequence[Any]
    number: int
    donor: int
    foreign: Sequence[Any]
    corpus: str
    references: Sequence[str]
    chance: random.Random = field(repr=False)
