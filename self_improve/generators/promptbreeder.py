"""PromptBreeder: units of two task prompts and a mutation prompt, which evolves with them.

Source: Fernando et al. 2023, Promptbreeder: Self-Referential Self-Improvement via Prompt Evolution
(arXiv 2309.16797).

Defaults: 50 units, 25 generations. In each, all units meet in pairs; the mutated winner of a pair
overwrites the loser. Operators are drawn evenly from the five classes (breeding.py); after each,
crossover and context shuffling follow with a chance of .1. Adapted: a step sends one message where
the source has two turns, so the first task prompt is the searched texts, the second stands behind
the longest of them, and half of the first units have none; contexts are texts that the step wrote,
quoted and declared; fitness is the mean over a fixed 3 cases in place of batches of 100; the best 3
are confirmed on all. The first units use at most a quarter of the budget. --small: 20 units, 30
generations; the mutation prompts are short in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from self_improve.generators import breeding, population, proposing
from self_improve.generators.admission import unfenced
from self_improve.generators.breeding import SECOND, Birth, Unit
from self_improve.generators.proposing import Variant
from self_improve.generators.racing import affordable, confirm, sample
from self_improve.generators.trial import Case, Proposal, Trial

UNITS, GENERATIONS, CASES, CONFIRMED = 50, 25, 3, 3
CROSSOVER, SHUFFLING, CONTEXTS = 0.1, 0.1, 2
_SMALL_UNITS, _SMALL_GENERATIONS = 20, 30


class PromptBreeder:
    """Evolves prompts, and the prompts that change them."""

    name = "promptbreeder"

    async def search(self, trial: Trial) -> None:
        """Breed generation by generation."""
        cases = sample(trial, CASES)
        size = _SMALL_UNITS if trial.small else UNITS
        units = await self._first(trial, 1 + affordable(trial, 4 * CASES, CONFIRMED, size - 1), cases)
        fruitless = 0
        for number in range(1, (_SMALL_GENERATIONS if trial.small else GENERATIONS) + 1):
            room = affordable(trial, len(cases), CONFIRMED, len(units) // 2)
            if not room or fruitless == population.FRUITLESS:
                trial.note(f"generation {number} is not begun: {room} pairs have room")
                break
            born = await self._generation(trial, units, cases, number, room)
            fruitless = 0 if born else fruitless + 1
        await confirm(trial, [unit.scored for unit in units], cases, CONFIRMED)

    async def _first(self, trial: Trial, size: int, cases: Sequence[Case]) -> list[Unit]:
        """Return the first units: the baseline, and what mutation prompts and styles make of it."""
        mutations, styles = breeding.listed("mutations"), breeding.listed("styles")
        base = {surface: trial.baseline.texts[surface] for surface in trial.searched}
        drawn = [
            (trial.random.choice(mutations), trial.random.choice(styles)) for _ in range(size)
        ]
        firsts = await trial.ask_all(
            self.name,
            [
                breeding.first_order(
                    trial, f"initial/{n}/first", surface := population.in_turn(trial, n),
                    base[surface], f"{mutation} {style}",
                )
                for n, (mutation, style) in enumerate(drawn[1:], start=1)
            ],
        )  # fmt: skip
        seconds = await trial.ask_all(
            self.name,
            [
                breeding.zero_order(trial, f"initial/{n}/second", SECOND, style)
                for n, (_, style) in enumerate(drawn[1:], start=1)
                if n % 2
            ],
        )
        made: list[tuple[Birth, Proposal]] = []
        for n, first in enumerate(firsts, start=1):
            surface = population.in_turn(trial, n)
            texts = dict(base)
            if first.value is not None:
                texts[surface] = unfenced(first.value.text)
            second = seconds[n // 2].value if n % 2 else None
            birth = Birth(
                place=n, operator="initial", mutation=drawn[n][0], texts=texts,
                second=unfenced(second.text) if second is not None else "",
            )  # fmt: skip
            proposal = _admitted(trial, birth, [trial.baseline])
            if proposal is not None:
                made.append((birth, proposal))
        scored = await trial.score([trial.baseline, *(one for _, one in made)], cases)
        first_unit = Unit(texts=base, mutation=drawn[0][0], scored=scored[0])
        return [
            first_unit,
            *(
                birth.unit(one)
                for (birth, _), one in zip(made, scored[1:], strict=True)
            ),
        ]
