"""Measures how often verdicts are wrong where nothing was changed: `make calibrate`.

The sides of each pair of cells of the recorded iterations are exchanged at random, so that before
and after mean nothing. Every KEEP and REJECT is then false, and each may be at most 2.5 % of all,
with and without early stopping. It ends with 1 if one is significantly more.
"""

from __future__ import annotations

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from scipy import stats

from self_improve.verdict import Word, word
from tools import recorded_comparisons as recorded
from tools.relabelling import looks

ALLOWED, CERTAINTY = 0.025, 0.99
PROCESSES = 2
FLIPS = 2000
FIVE_COINS = 5


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often each word was given to relabelled comparisons, in all and by iteration."""

    stopping: bool
    words: Counter[Word]
    by_iteration: dict[str, Counter[Word]]

    @property
    def count(self) -> int:
        """The number of relabelled comparisons."""
        return self.words.total()

    def is_kept(self, answer: Word) -> bool:
        """Whether a false word is not significantly more frequent than it may be.

        That holds over all comparisons and for each of them, with the certainty shared among them.
        """
        single = 1 - (1 - CERTAINTY) / max(len(self.by_iteration), 1)
        return self.words[answer] <= stats.binom.ppf(CERTAINTY, self.count, ALLOWED) and all(
            words[answer] <= stats.binom.ppf(single, words.total(), _allowed(number))
            for number, words in self.by_iteration.items()
        )

    def is_used(self, answer: Word) -> bool:
        """Whether at least a third of what is allowed is used: the rest would be lost power."""
        return self.words[answer] >= self.count * ALLOWED / 3

    def worst(self, answer: Word) -> tuple[str, float]:
        """Return the comparison in which a false word is most frequent, and how frequent."""
        shares = {n: words[answer] / words.total() for n, words in self.by_iteration.items()}
        return max(shares.items(), key=lambda item: item[1])

    def row(self, answer: Word) -> tuple[str, str, str, str, str]:
        """Return the cells of a row: looks, word, rate with interval, the worst, and the limit."""
        result = stats.binomtest(self.words[answer], self.count)
        low, high = result.proportion_ci(method="wilson")
        return (
            "with looks" if self.stopping else "all cells at once",
            str(answer),
            f"{self.words[answer] / self.count:.2%} ({low:.2%} to {high:.2%})",
            "{1:.1%} in {0}".format(*self.worst(answer)),
            "yes" if self.is_kept(answer) else "NO",
        )


def _allowed(number: str) -> float:
    """Return what is allowed in one comparison: 1/32 where five coins of one side decide."""
    losses = [
        pair.before.succeeded != pair.after.succeeded for pair in recorded.pairing(number).pairs
    ]
    return max(ALLOWED, 2.0 ** -sum(losses)) if sum(losses) == FIVE_COINS else ALLOWED


def rates(count: int, *, stopping: bool, seed: int = 1) -> Rates:
    """Relabel `count` comparisons and count their words."""
    by = recorded.terms(flips=FLIPS)
    results = Rates(stopping=stopping, words=Counter(), by_iteration={})
    for number, draw, pairing in recorded.relabelled(count, seed=seed):
        answer = word(looks(pairing, seed=draw) if stopping else pairing, by)
        results.words[answer] += 1
        results.by_iteration.setdefault(number, Counter())[answer] += 1
    return results


def both(count: int) -> list[Rates]:
    """Return the rates without and with early stopping, side by side in two processes."""
    for number in recorded.iterations():
        recorded.pairing(number)  # Measured once, before the processes fork.
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(rates, count, stopping=stopping) for stopping in (False, True)]
        return [job.result() for job in jobs]


def main() -> int:
    """Relabel, print the rates, and return 1 if one is too high."""
    parser = argparse.ArgumentParser(description="Measure how often verdicts are false.")
    parser.add_argument("--relabellings", type=int, default=2000, metavar="N", help="of each kind")
    options = parser.parse_args()
    results = both(options.relabellings)
    for one in results:
        for answer in (Word.keep, Word.reject):
            print(*one.row(answer), sep=" · ")
    are_kept = all(
        one.is_kept(answer) and one.is_used(answer)
        for one in results
        for answer in (Word.keep, Word.reject)
    )
    print(
        f"{options.relabellings} relabelled comparisons each, 2.5 % allowed, a third of it used: ",
        end="",
    )
    print("kept" if are_kept else "BROKEN")
    return 0 if are_kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
