"""What planned cells can decide, before anything is spent on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from rubrics.rubric import Rubric
from self_improve.verdict import weights
from self_improve.verdict.noise import Noise

LEAST_PAIRS = 6
"""Five pairs cannot decide on the composite whatever they show: five coins fall alike in one of 32
throws, and one in forty is allowed."""
WORTH = 0.5
"""The share of the smallest effect worth a merge that must be seen. As much as the whole would be
missed in half of all cases by an effect of exactly that size."""
ASSUMED_MINIMA = 2.0
"""The deviation of pairs that is assumed of a step that was not calibrated, in smallest effects
worth a merge; it is 1.7 for the one that was."""
_BEYOND_CHANCE = NormalDist().inv_cdf(0.975)
_POWER = 0.8
_REACH = 20


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What a number of pairs can decide.

    `found` and `half_found` are how often an effect of the size worth a merge is found, and one of
    half that size; `repeats` how many repeats find the former in four cases of five, None if that
    is out of reach.
    """

    pairs: int
    minimal: float
    found: float
    half_found: float
    repeats: int | None
    found_then: float | None
    is_assumed: bool

    @property
    def text(self) -> str:
        """What the cells can decide, in a sentence."""
        pairs = "1 pair" if self.pairs == 1 else f"{self.pairs} pairs"
        if self.pairs < LEAST_PAIRS:
            sentence = f"{pairs} can never reach significance"
        else:
            sentence = (
                f"{pairs} find an effect of {self.minimal:g} in {self.found:.0%} and one of "
                f"{self.minimal * WORTH:g} in {self.half_found:.0%}"
            )
        if self.found < _POWER and self.found_then is not None:
            sentence += (
                f"; with `--repeats {self.repeats}` an effect of {self.minimal:g} is found in "
                f"{self.found_then:.0%}"
            )
        elif self.found < _POWER:
            sentence += (
                f"; not even `--repeats {_REACH}` finds an effect of {self.minimal:g} in 80%"
            )
        return sentence + (" (noise assumed, not measured)" if self.is_assumed else "")


def prospect(
    rubric: Rubric, noise: Noise, *, plans: int, models: Sequence[str], repeats: int = 1
) -> Prospect:
    """Return what the cells of these models can decide, each on all plans and repeats."""
    pairs = plans * len(models) * repeats
    minimal = rubric.minimal_effect

    def found(effect: float, times: int) -> float:
        return _found(effect, noise, list(models) * plans * times, minimal)

    enough = next((n for n in range(1, _REACH + 1) if found(minimal, n) >= _POWER), None)
    return Prospect(
        pairs=pairs, minimal=minimal, found=found(minimal, repeats),
        half_found=found(minimal * WORTH, repeats), repeats=enough,
        found_then=None if enough is None else found(minimal, enough),
        is_assumed=noise.composite is None,
    )  # fmt: skip


def _found(effect: float, noise: Noise, models: Sequence[str], minimal: float) -> float:
    """Return how often an effect is found by a pair of each of these models."""
    if len(models) < LEAST_PAIRS:
        return 0.0
    shares = weights.of_models(models, noise)
    spread = noise.composite
    deviations = np.array(
        [ASSUMED_MINIMA * minimal if spread is None else spread.of_model(m) for m in models]
    )
    error = float(np.sqrt(((shares * deviations) ** 2).sum()) / shares.sum())
    if not error:
        return float(effect >= WORTH * minimal)
    goal = max(_BEYOND_CHANCE * error * noise.composite_drift, WORTH * minimal)
    return NormalDist().cdf((effect - goal) / error)
