"""How often verdicts are wrong where nothing was changed: `make calibrate`.

The sides of each pair of cells of the recorded iterations are exchanged by the toss of a coin, so
that before and after mean nothing. What is then kept or rejected is false, and may be no more than
2.5 % of all, with and without early stopping. It ends with 1 if it significantly is.
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


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What was said of relabelled comparisons, in all and by iteration."""

    stopping: bool
    words: Counter[Word]
    by_iteration: dict[str, Counter[Word]]

    @property
    def count(self) -> int:
        """The number of relabelled comparisons."""
        return self.words.total()

    def is_kept(self, said: Word) -> bool:
        """Whether a false word is not significantly more frequent than it may be."""
        return self.words[said] <= stats.binom.ppf(CERTAINTY, self.count, ALLOWED)

    def row(self, said: Word) -> tuple[str, str, str, str]:
        """Return the cells of a row: looks, word, rate with interval, whether that is kept."""
        result = stats.binomtest(self.words[said], self.count)
        low, high = result.proportion_ci(method="wilson")
        return (
            "four looks" if self.stopping else "all cells at once",
            str(said),
            f"{self.words[said] / self.count:.2%} ({low:.2%} to {high:.2%})",
            "yes" if self.is_kept(said) else "NO",
        )


def rates(count: int, *, stopping: bool, seed: int = 1) -> Rates:
    """Relabel `count` comparisons and say what is said of them."""
    by = recorded.terms(flips=FLIPS)
    found = Rates(stopping=stopping, words=Counter(), by_iteration={})
    for number, draw, pairing in recorded.relabelled(count, seed=seed):
        said = word(looks(pairing, seed=draw) if stopping else pairing, by)
        found.words[said] += 1
        found.by_iteration.setdefault(number, Counter())[said] += 1
    return found


def both(count: int) -> list[Rates]:
    """Return the rates without and with early stopping, side by side in two processes."""
    for number in recorded.iterations():
        recorded.pairing(number)  # Measured once, before the processes part.
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(rates, count, stopping=stopping) for stopping in (False, True)]
        return [job.result() for job in jobs]


def main() -> int:
    """Relabel, print the rates, and return 1 if one is too high."""
    made = argparse.ArgumentParser(description="Measure how often verdicts are false.")
    made.add_argument("--relabellings", type=int, default=2000, metavar="N", help="of each kind")
    options = made.parse_args()
    found = both(options.relabellings)
    for one in found:
        for said in (Word.keep, Word.reject):
            print(*one.row(said), sep=" · ")
        worst = max(one.by_iteration.items(), key=lambda item: item[1][Word.reject])
        print(f"  most REJECT in iteration {worst[0]}: {dict(worst[1])}")
    kept = all(one.is_kept(said) for one in found for said in (Word.keep, Word.reject))
    print(f"{options.relabellings} relabelled comparisons each, 2.5 % allowed: ", end="")
    print("kept" if kept else "BROKEN")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
