"""DSPy's own MIPROv2, on our ledger: needs `pip install 'plumbline[dspy]'`.

Source: the package dspy, 3.4 or newer (github.com/stanfordnlp/dspy), of the authors of Opsahl-Ong
et al. 2024 (arXiv 2406.11695).

Defaults: the package's own light, medium and heavy settings (6, 12, 18 candidates), of which the
heaviest is taken whose trials fit the budget; at most 4 bootstrapped demonstrations, from cells
that score at least as well as the baseline's mean. Adapted: the step is a program with one
predictor for each searched text; labelled demonstrations are 0, because plans have no labels; a
demonstration is two texts that the step wrote, quoted behind the longest text and declared; the
proposer is not shown the program's code, which is ours and not the step's; train and validation
examples are the same cases under different ids. It has no checkpoint: a killed search is replayed
from the journal. --small changes nothing.

Needs: a proposer for one round of calls (2, and half as many as there are candidates), and the
package dspy.

Costs: up to 4 cells a demonstration set, and all cases for each of 10 (light), 18 or 27 trials.
"""

from __future__ import annotations

import math
from typing import Any

from self_improve.generators.dspy_program import DEMONSTRATIONS, TRAIN, VALIDATION, DspyTask
from self_improve.search.thread_bridge import Bridge, PackageGenerator
from self_improve.search.trial import Trial

SETTINGS = {"light": 6, "medium": 12, "heavy": 18}


class DspyMiproV2(PackageGenerator):
    """MIPROv2 as its authors wrote it."""

    name = "dspy-miprov2"
    package = "dspy"

    async def search(self, trial: Trial) -> None:
        """Let the package search."""
        [base] = await trial.score([trial.baseline], trial.cases)
        bridge = Bridge(trial)
        seed = trial.random.randrange(1, 2**31)
        setting = _setting(trial)
        trial.note(f"the budget has room for the setting {setting}")

        def work() -> None:
            task = DspyTask(trial, bridge, list(base.outcomes.values()))
            task.compiled(lambda: _compile(task, setting, seed, base.score or 0.0))

        await bridge.run(work)


def trials_of(candidates: int, texts: int) -> int:
    """Return the number of trials of a setting, as DSPy counts them."""
    return int(max(2 * 2 * texts * math.log2(candidates), 1.5 * candidates))


def _setting(trial: Trial) -> str:
    for name, candidates in reversed(SETTINGS.items()):
        cells = trials_of(candidates, len(trial.searched)) * len(trial.cases)
        if cells + DEMONSTRATIONS <= trial.left:
            return name
    return next(iter(SETTINGS))


def _compile(task: DspyTask, setting: str, seed: int, threshold: float) -> None:
    optimizer: Any = task.dspy.MIPROv2(
        metric=task.metric, prompt_model=task.lm, task_model=task.lm, auto=setting,
        max_bootstrapped_demos=DEMONSTRATIONS, max_labeled_demos=0, num_threads=1,
        seed=seed, metric_threshold=threshold, track_stats=False, verbose=False,
    )  # fmt: skip
    optimizer.compile(
        task.student(), trainset=task.examples(TRAIN), valset=task.examples(VALIDATION),
        program_aware_proposer=False,
    )  # fmt: skip
