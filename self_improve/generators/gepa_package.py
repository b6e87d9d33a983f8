"""The gepa package itself, on our ledger: needs `pip install 'plumbline[gepa]'`.

Source: the package gepa, 0.1.4 or newer (github.com/gepa-ai/gepa), of the authors of Agrawal et
al. 2025 (arXiv 2507.19457).

Defaults: the package's own: a Pareto front over validation instances, minibatches of 3, texts in
round robin, strict improvement, no merge. Adapted: train and validation instances are the same
cases under different ids, because its cache would mix them otherwise; its reflection call is
replaced by one of ours, with the same traces and faults as in our own gepa.py; a failed cell scores
0 and is not raised; a refused proposal counts as its parent; after 12 of them in a row, or 12
minibatches on which the parent is perfect, the search ends. It gets no run directory and loads no
pickle: a killed search is replayed from the journal. --small changes nothing.

Needs: a proposer, 1 call a round, and the package gepa.

Costs: 3 cells a round, and all cases for a child that passes the gate; it continues until the
budget ends.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_gateway.material import json_block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.thread_bridge import Bridge, PackageGenerator
from self_improve.search.trial import Case, CellOutcome, Proposal, Trial

MINIBATCH = 3
_FRUITLESS = 12
_LONGEST = 1500


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One case, with an id that names its set."""

    id: str
    case: Case


class GepaPackage(PackageGenerator):
    """GEPA as its authors wrote it."""

    name = "gepa-package"
    package = "gepa"

    async def search(self, trial: Trial) -> None:
        """Let the package search."""
        bridge = Bridge(trial)
        seed = trial.random.randrange(2**31)
        await bridge.run(lambda: _optimize(trial, bridge, seed))


def _optimize(trial: Trial, bridge: Bridge, seed: int) -> None:
    # The package is an extra that most searches do not need.
    gepa: Any = importlib.import_module("gepa")

    first = {surface: trial.baseline.texts[surface] for surface in trial.searched}
    gepa.optimize(
        seed_candidate=first,
        trainset=_instances("train", trial.cases),
        valset=_instances("validation", trial.cases),
        adapter=_Adapter(trial, bridge),
        reflection_minibatch_size=min(MINIBATCH, len(trial.cases)),
        perfect_score=1.0,
        stop_callbacks=lambda _: trial.left < MINIBATCH,
        logger=_Silent(),
        seed=seed,
    )


def _instances(name: str, cases: Sequence[Case]) -> list[Instance]:
    return [Instance(id=f"{name}/{case.id}", case=case) for case in cases]


class _Silent:
    def log(self, message: str) -> None:
        """Write nothing: the search has its own log."""


class _Adapter:
    """The package's interface to the step: it evaluates, reports and proposes."""

    def __init__(self, trial: Trial, bridge: Bridge) -> None:
        self._trial = trial
        self._bridge = bridge
        self._proposals: dict[tuple[str, ...], Proposal] = {}
        self._calls = self._fruitless = self._perfect = 0
        self._minibatch: list[CellOutcome] = []

    def evaluate(
        self,
        batch: list[Instance],
        candidate: dict[str, str],
        capture_traces: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        """Score a candidate on instances; a failed cell scores 0."""
        gepa: Any = importlib.import_module("gepa")

        # The package skips minibatches on which a parent is perfect, and would do so for ever.
        self._perfect += capture_traces
        if self._perfect > _FRUITLESS:
            raise self._bridge.end(f"{_FRUITLESS} minibatches in a row left nothing to mend")
        proposal = self._proposals.get(self._key(candidate), self._trial.baseline)
        cases = [one.case for one in batch]
        [scored] = self._bridge.score([proposal], cases)
        outcomes = [scored.outcomes[case.id] for case in cases]
        return gepa.EvaluationBatch(
            outputs=[outcome.output for outcome in outcomes],
            scores=[outcome.score or 0.0 for outcome in outcomes],
            trajectories=outcomes if capture_traces else None,
        )

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002
        eval_batch: Any,
        components_to_update: list[str],
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return inputs, outputs and faults of the minibatch, for each text."""
        self._minibatch = list(eval_batch.trajectories or [])
        rows = [_record(outcome) for outcome in self._minibatch]
        return dict.fromkeys(components_to_update, rows)

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """Ask our proposer for each text; a refused text stays unchanged."""
        self._perfect = 0
        parent = self._proposals.get(self._key(candidate), self._trial.baseline)
        texts: dict[str, str] = {}
        for surface in components_to_update:
            self._calls += 1
            call = proposer_calls.question(
                f"reflection_{self._calls}",
                "gepa",
                proposer_calls.aims(self._trial),
                proposer_calls.prompt_block(surface, candidate[surface]),
                json_block("traces", list(reflective_dataset[surface])),
                proposer_calls.feedback(self._minibatch),
                schema=Variant,
            )
            reply = self._bridge.ask(GepaPackage.name, call)
            if reply.value is not None:
                texts[surface] = reply.value.text
        child = self._admit(parent, texts) if texts else None
        self._fruitless = 0 if child is not None else self._fruitless + 1
        if self._fruitless == _FRUITLESS:
            raise self._bridge.end(f"{_FRUITLESS} proposals in a row could not be used")
        texts_now = (child or parent).texts
        return {surface: texts_now[surface] for surface in components_to_update}

    def _admit(self, parent: Proposal, texts: dict[str, str]) -> Proposal | None:
        child = self._bridge.admit(
            texts, operator="reflection", parents=[parent], change="a reflection of gepa's"
        )
        if child is not None:
            self._proposals[self._key(child.texts)] = child
        return child

    def _key(self, texts: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(texts[surface] for surface in self._trial.searched)


def _record(outcome: CellOutcome) -> dict[str, Any]:
    pair = proposer_calls.pair(outcome, _LONGEST)
    flaws = [f"{flaw.metric} in {flaw.field}: {flaw.quote}" for flaw in outcome.flaws]
    return {
        "Inputs": pair["plan"],
        "Generated Outputs": pair["output"],
        "Feedback": outcome.failure or "\n".join(flaws)[:_LONGEST],
        "score": outcome.score,
    }
