"""Detects whether the model behind a name has changed, by two recordings of the same requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from model_gateway.attempt import Attempt, digest_of
from prompt_lab.layout import Layout
from prompt_lab.record import Evidence, Run
from rubrics.rubric import Rubric
from self_improve.comparison import comparability
from self_improve.comparison.comparison import decide_sides
from self_improve.comparison.sides import measurer_for
from self_improve.verdict import Verdict, Word, decide
from self_improve.verdict.noise import ASSUMED_DRIFT, Noise
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.statistics import flips
from self_improve.verdict.statistics.false_discoveries import holm
from self_improve.verdict.statistics.flips import two_sided
from self_improve.verdict.terms import ERROR, Terms

_ANSWERED = frozenset({"ok", "partial"})
_OF_THE_CELL = frozenset({"seed"})
"""Arguments that differ from run to run although the request is the same."""


class DriftFinding(StrEnum):
    """The finding on the model behind a name."""

    alike = "ALIKE"
    changed = "CHANGED"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class ModelDrift:
    """One model, then and now.

    `reported` are the ids that the provider gave for it, before and after; `same_requests` counts
    the requests that were word for word the same, `other_tokens` those of them with another number
    of input tokens. `composite` and `output_tokens` are p-values of paired tests over cells,
    adjusted over all models. What could not be measured is None and listed in `missing`.
    """

    model: str
    finding: DriftFinding
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    reported: tuple[tuple[str, ...], tuple[str, ...]]
    same_requests: int
    other_tokens: int
    pairs: int
    effect: float | None
    composite: float | None
    output_tokens: float | None


@dataclass(frozen=True, kw_only=True)
class Drift:
    """All models, and the evaluator's verdict on both recordings together."""

    models: tuple[ModelDrift, ...]
    verdict: Verdict

    @property
    def finding(self) -> DriftFinding:
        """The gravest finding; without a model it is INCONCLUSIVE."""
        findings = {model.finding for model in self.models}
        if DriftFinding.changed in findings:
            return DriftFinding.changed
        alike = findings == {DriftFinding.alike}
        return DriftFinding.alike if alike else DriftFinding.inconclusive

    @property
    def summary(self) -> str:
        """The finding in words; that of simulated models is always labelled so."""
        simulated = self.verdict.evidence is Evidence.simulated
        return f"SIMULATED {self.finding}" if simulated else str(self.finding)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "told": self.summary, "evidence": self.verdict.evidence,
            "verdict": self.verdict.summary, "reasons": list(self.verdict.reasons),
            "models": [{**asdict(m), "finding": str(m.finding)} for m in self.models],
        }  # fmt: skip


def compare(
    before: Sequence[Path],
    after: Sequence[Path],
    rubric: Rubric,
    noise: Noise,
    *,
    lab: Layout | None = None,
    plans: Sequence[Path] = (),
    seed: int = 1,
) -> Drift:
    """Compare two recordings between which only the models can have changed.

    A model has changed if the provider reports another id, if it counts the tokens of the same
    request differently, or if outputs moved beyond chance. It is alike only if none of that holds,
    an id or token counts are known on both sides, and the composite has certainly moved by less
    than would matter (D. J. Schuirmann, A comparison of the two one-sided tests procedure, 1987;
    here at the level of the 95 % interval). Everything else is INCONCLUSIVE.

    Args:
        before: the directories of the recorded baseline runs.
        after: those of the new runs.
        rubric: what is measured.
        noise: how far such recordings differ by chance.
        lab: the data repo.
        plans: further directories of baseline plans.
        seed: of the permutations.

    Raises:
        UsageError: more than the models differs, so that drift cannot be concluded.
    """
    records = comparability.check(before, after, claim="alike", other_models=True)
    records.require()
    terms = Terms(rubric=rubric, noise=noise, together=records.together, seed=seed)
    with measurer_for(rubric, plans, lab=lab) as measurer:
        sides, verdict = decide_sides(before, after, terms, measurer, records)
    names = sorted({Run(path).model for path in after})
    alone = {name: _only(sides.pairing, name) for name in names}
    kind = verdict.evidence
    verdicts = {n: decide(one, terms, evidence=kind) for n, one in alone.items() if one.pairs}
    p_values = holm(
        {
            **{f"composite {n}": one.composite.p for n, one in verdicts.items()},
            **{f"tokens {n}": _tokens_moved(one, seed) for n, one in alone.items()},
        }
    )
    attempts = [_attempts(paths) for paths in (before, after)]
    models = [
        _model_drift(
            name, verdicts.get(name), alone[name], p_values,
            [of_side.get(name, []) for of_side in attempts], terms,
        )
        for name in names
    ]  # fmt: skip
    return Drift(models=tuple(_with_blame(models, verdict, verdicts)), verdict=verdict)


def _model_drift(
    name: str,
    verdict: Verdict | None,
    pairing: Pairing,
    p_values: Mapping[str, float | None],
    attempts: Sequence[Sequence[Attempt]],
    terms: Terms,
) -> ModelDrift:
    reasons, missing = [], []
    ids = (_reported(attempts[0]), _reported(attempts[1]))
    if not all(ids):
        missing.append("which model answered: the provider does not say")
    elif ids[0] != ids[1]:
        old, new = (", ".join(names) for names in ids)
        reasons.append(f"the provider reports {new}, and reported {old}")
    same, other = _counted(*attempts)
    if not same:
        missing.append("token counts: no request was the same on both sides")
    elif other:
        reasons.append(f"{other} of {same} equal requests have other numbers of input tokens")
    composite, tokens = p_values.get(f"composite {name}"), p_values[f"tokens {name}"]
    if composite is not None and composite <= 2 * ERROR:
        reasons.append(f"the composite moved beyond chance (p = {composite:.4f})")
    if tokens is not None and tokens <= 2 * ERROR:
        reasons.append(f"the length of its outputs moved beyond chance (p = {tokens:.4f})")
    missing += _unmeasured(verdict, terms.rubric)
    finding = DriftFinding.changed if reasons else DriftFinding.alike
    if not reasons and (len(missing) > 1 or any(m.startswith("outputs") for m in missing)):
        finding = DriftFinding.inconclusive
    return ModelDrift(
        model=name, finding=finding, reasons=tuple(reasons), missing=tuple(missing), reported=ids,
        same_requests=same, other_tokens=other, pairs=len(pairing.pairs),
        effect=None if verdict is None else verdict.composite.effect,
        composite=composite, output_tokens=tokens,
    )  # fmt: skip


def _with_blame(
    models: Sequence[ModelDrift], verdict: Verdict, verdicts: Mapping[str, Verdict]
) -> list[ModelDrift]:
    """Blame models for a KEEP or REJECT of all together, if none has a finding of its own."""
    moved = verdict.word is not Word.inconclusive
    if not moved or any(m.finding is DriftFinding.changed for m in models):
        return list(models)
    decided = {n for n, one in verdicts.items() if one.word is verdict.word} or set(verdicts)
    reason = f"the evaluator says {verdict.word}: {'; '.join(verdict.reasons)}"
    return [
        replace(m, finding=DriftFinding.changed, reasons=(*m.reasons, reason))
        if m.model in decided
        else m
        for m in models
    ]


def _unmeasured(verdict: Verdict | None, rubric: Rubric) -> list[str]:
    """Return what is missing to show that the composite has not moved."""
    if verdict is None or verdict.composite.effect is None:
        return ["outputs: no cell has content on both sides"]
    silent = sum(use.weight for use in rubric.metrics if use.id in verdict.composite.silent)
    if 2 * silent > sum(use.weight for use in rubric.metrics):
        return ["outputs: metrics with most of the rubric's weight are undefined for them"]
    reach, least = verdict.composite.interval, rubric.minimal_effect
    if reach is None or not -least < reach.low <= reach.high < least:
        return ["outputs: too few cells to say that the composite has not moved"]
    return []


def _only(pairing: Pairing, model: str) -> Pairing:
    return Pairing(pairs=tuple(pair for pair in pairing.pairs if pair.model == model))


def _tokens_moved(pairing: Pairing, seed: int) -> float | None:
    """Return the two-sided p-value of the outputs' lengths, by sign flips; None without any."""
    differences = [d for pair in pairing.pairs if (d := _longer(pair)) is not None]
    if not differences:
        return None
    sums = flips.flips(len(differences), seed=seed).sums(np.array(differences)[:, None])[0]
    return two_sided(sums, widened=ASSUMED_DRIFT)


def _longer(pair: Pair) -> float | None:
    old, new = pair.before.output_tokens, pair.after.output_tokens
    return None if old is None or new is None or not pair.succeeded else float(new - old)


def _attempts(paths: Sequence[Path]) -> dict[str, list[Attempt]]:
    """Return the attempts that were answered, by model."""
    by_model: defaultdict[str, list[Attempt]] = defaultdict(list)
    for path in paths:
        run = Run(path)
        answered = (a for a in run.attempts() if a.status in _ANSWERED and not a.fallback)
        by_model[run.model].extend(answered)
    return by_model


def _reported(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    return tuple(sorted({a.reported_model for a in attempts if a.reported_model}))


def _counted(before: Sequence[Attempt], after: Sequence[Attempt]) -> tuple[int, int]:
    """Return how many requests were the same on both sides, and how many with other tokens."""
    old, new = _input_tokens(before), _input_tokens(after)
    same = old.keys() & new.keys()
    return len(same), sum(old[one] != new[one] for one in same)


def _input_tokens(attempts: Sequence[Attempt]) -> dict[str, frozenset[int]]:
    tokens: defaultdict[str, set[int]] = defaultdict(set)
    for one in attempts:
        if one.input_tokens is not None:
            arguments = {k: v for k, v in one.arguments.items() if k not in _OF_THE_CELL}
            request = digest_of(one.model_id, one.messages, one.schema, arguments, one.options)
            tokens[request].add(one.input_tokens)
    return {request: frozenset(counts) for request, counts in tokens.items()}
