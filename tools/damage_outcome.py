"""What became of a step's composite when a share of its items was damaged."""

from __future__ import annotations

from dataclasses import dataclass

from self_improve.verdict import Word
from tools import damages

FALLS_FROM = 0.4
"""From this share of damaged items on the composite must fall."""
_NOTHING = 0.005
"""A composite that rises by less has not moved."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a step's composite when a share of its items was damaged.

    `effect` is that of the damage; `answer` is the verdict on it, if it was taken, and `repaired`
    that on the same comparison read backwards, where all items were damaged. `lost` is the number
    of cells that had no content any more. `reason` says why a damage cannot be done to the step,
    and `everywhere` whether it was done in all plans: what befalls some only proves nothing for the
    others. `parts` are the effects of the measures, the worst first.
    """

    step: str
    source: str
    damage: str
    share: float
    effect: float | None = None
    lost: int = 0
    answer: Word | None = None
    repaired: Word | None = None
    everywhere: bool = True
    reason: str = ""
    parts: tuple[tuple[str, float], ...] = ()

    @property
    def applies(self) -> bool:
        """Whether the damage could be done."""
        return not self.reason

    @property
    def is_found(self) -> bool:
        """Whether the verdict rejects the damage."""
        return self.answer is Word.reject

    @property
    def is_repaired(self) -> bool:
        """Whether the verdict keeps the same comparison read backwards."""
        return self.repaired is Word.keep

    @property
    def problem(self) -> str:
        """What the rubric gets wrong; empty if nothing."""
        if not self.applies:
            return ""
        effect = self.effect or 0.0
        if effect > _NOTHING and not self.lost:
            return "it looks like a gain"
        if self.share >= FALLS_FROM and effect >= 0 and not self.lost:
            return "it does not show"
        if self.share < 1 or not self.everywhere:
            return ""
        if self.repaired is Word.reject and self.damage != damages.ONE_MODEL:
            return "its repair is REJECT"
        if not self.is_found:
            return f"it is {self.answer}, not REJECT"
        return ""
