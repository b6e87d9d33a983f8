"""How often each word is given by the size of an effect: part of `make evaluator`.

Pairs of identical prompts are drawn again, each with its sides in a random order, and every measure
of the side after is moved by the same share of its scale, so that the composite moves by a known
effect on top of real noise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from prompt_lab.record import Evidence
from rubrics.rubric import Rubric
from self_improve.verdict import Word, decide, word
from self_improve.verdict.pairing import Pair, Pairing
from tools import recorded_comparisons as recorded
from tools.relabelling import looks

COUNTS = (5, 10, 35, 70, 105)
EFFECTS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
"""In smallest effects worth a merge."""
DRAWS, FLIPS, PROCESSES, PLANS = 400, 1000, 2, 5
STOPPED_PAIRS, STOPPED_EFFECTS = 35, (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How often each word was given to a number of pairs with an effect of this size."""

    effect: float
    pairs: int
    words: Counter[Word]

    def share(self, answer: Word) -> float:
        """The share of a word."""
        return self.words[answer] / self.words.total()


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What early stopping saves and loses with an effect of this size.

    `share` is that of the cells it needs; `whole` and `early` the words with all cells, and with
    looks; `same` how many are the same.
    """

    effect: float
    share: float
    whole: Counter[Word]
    early: Counter[Word]
    same: int


def moved(pair: Pair, effect: float, rubric: Rubric) -> Pair:
    """Return a pair whose composite has moved by an effect, equally in all measures."""
    total = sum(use.weight for use in rubric.metrics)
    values = dict(pair.after.values)
    for use in rubric.metrics:
        if use.weight and use.id in values:
            sign = 1 if use.direction == "higher" else -1
            values[use.id] += sign * effect * use.scale / total
    return replace(pair, after=replace(pair.after, values=values))


def by_model() -> dict[str, list[Pair]]:
    """Return the pairs of identical prompts with content, by their model."""
    pairs: defaultdict[str, list[Pair]] = defaultdict(list)
    for number in recorded.SAME_PROMPTS:
        for pair in recorded.pairing(number).pairs:
            if pair.succeeded:
                pairs[pair.model].append(pair)
    return {model: members for model, members in sorted(pairs.items()) if len(members) >= PLANS}


def drawn(count: int, effect: float, chance: np.random.Generator) -> Pairing:
    """Return pairs of identical prompts that an effect has moved: models times five plans."""
    pool, rubric = by_model(), recorded.rubric()
    names = list(pool)
    once = min(count // PLANS, len(names))
    pairs = []
    for model in chance.choice(names, once, replace=False).tolist():
        for number in range(count // once):
            one = pool[model][int(chance.integers(len(pool[model])))]
            one = one.swapped if chance.random() < 0.5 else one
            plan, repeat = f"plan {number % PLANS}", number // PLANS
            placed = Pair(
                before=replace(one.before, plan=plan, repeat=repeat),
                after=replace(one.after, plan=plan, repeat=repeat),
            )
            pairs.append(moved(placed, effect, rubric))
    return Pairing(pairs=tuple(pairs))


def rate(case: tuple[int, float]) -> Rate:
    """Return how often each word is given in one case."""
    count, times = case
    by = recorded.terms(flips=FLIPS)
    chance = np.random.default_rng([count, round(10 * times) + 100])
    effect = times * by.rubric.minimal_effect
    words = Counter(word(drawn(count, effect, chance), by) for _ in range(DRAWS))
    return Rate(effect=effect, pairs=count, words=words)


def stopped(times: float) -> Stopped:
    """Return what early stopping saves and loses with an effect of that many minimal ones."""
    by = recorded.terms(flips=FLIPS)
    chance = np.random.default_rng([STOPPED_PAIRS, round(10 * times) + 500])
    effect = times * by.rubric.minimal_effect
    shares, pairs_of_words = [], []
    for seed in range(DRAWS):
        pairing = drawn(STOPPED_PAIRS, effect, chance)
        last = decide(looks(pairing, seed=seed), by, evidence=Evidence.historical)
        shares.append(last.share)
        pairs_of_words.append((word(pairing, by), last.word))
    return Stopped(
        effect=effect, share=sum(shares) / DRAWS, whole=Counter(one for one, _ in pairs_of_words),
        early=Counter(one for _, one in pairs_of_words),
        same=sum(one is other for one, other in pairs_of_words),
    )  # fmt: skip


def stopping(effects: Sequence[float] = STOPPED_EFFECTS) -> list[Stopped]:
    """Return the same for several effects, measured in two processes."""
    for number in recorded.SAME_PROMPTS:
        recorded.pairing(number)  # Measured once, before the processes fork.
    with ProcessPoolExecutor(PROCESSES) as pool:
        return list(pool.map(stopped, effects))


def rates(counts: Sequence[int] = COUNTS, effects: Sequence[float] = EFFECTS) -> list[Rate]:
    """Return the rates of all cases, measured in two processes."""
    for number in recorded.SAME_PROMPTS:
        recorded.pairing(number)  # Measured once, before the processes fork.
    cases = [(count, effect) for effect in effects for count in counts]
    with ProcessPoolExecutor(PROCESSES) as pool:
        return list(pool.map(rate, cases))


if __name__ == "__main__":
    for one in rates():
        print(one.pairs, one.effect, {str(k): v for k, v in one.words.items()})
