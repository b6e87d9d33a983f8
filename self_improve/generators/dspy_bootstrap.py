"""DSPy's own BootstrapFewShot, on our ledger: needs `pip install 'plumbline[dspy]'`.

Source: the package dspy, 3.4 or newer (github.com/stanfordnlp/dspy), of Khattab et al. 2023
(arXiv 2310.03714).

Defaults: the package's own: one round, at most 4 bootstrapped demonstrations, here from cells that
score at least as well as the baseline's mean. Adapted: as in dspy_miprov2.py. It makes one
candidate, the unchanged text with demonstrations, calls no proposer, and ends. --small changes
nothing.

Needs: the package dspy; it calls no model.

Costs: 1 cell a demonstration, then one proposal on all cases.
"""

from __future__ import annotations

from typing import Any

from self_improve.generators.dspy_program import DEMONSTRATIONS, TRAIN, VALIDATION, DspyTask
from self_improve.search.thread_bridge import Bridge, PackageGenerator
from self_improve.search.trial import Trial


class DspyBootstrap(PackageGenerator):
    """BootstrapFewShot as its authors wrote it."""

    name = "dspy-bootstrap"
    package = "dspy"

    async def search(self, trial: Trial) -> None:
        """Let the package choose demonstrations, and score the result."""
        [base] = await trial.score([trial.baseline], trial.cases)
        bridge = Bridge(trial)

        def work() -> None:
            task = DspyTask(trial, bridge, list(base.outcomes.values()))
            task.compiled(lambda: _compile(task, base.score or 0.0))

        await bridge.run(work)


def _compile(task: DspyTask, threshold: float) -> None:
    optimizer: Any = task.dspy.BootstrapFewShot(
        metric=task.metric, metric_threshold=threshold, max_bootstrapped_demos=DEMONSTRATIONS,
        max_labeled_demos=0,
    )  # fmt: skip
    program = optimizer.compile(task.student(), trainset=task.examples(TRAIN))
    [first, *_] = task.examples(VALIDATION)
    program(**first.inputs())
