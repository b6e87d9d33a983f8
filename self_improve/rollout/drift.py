"""Whether the model behind a name is still the one it was: two recordings of the same questions."""

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
from self_improve.verdict import noise as calibration
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.statistics import flips
from self_improve.verdict.statistics.false_discoveries import holm
from self_improve.verdict.statistics.flips import two_sided
from self_improve.verdict.terms import ERROR, Terms

_ANSWERED = frozenset({"ok", "partial"})
_OF_THE_CELL = frozenset({"seed"})
"""Arguments that differ from run to run although the same is asked."""


class Finding(StrEnum):
    """What is said of the model behind a name."""

    alike = "ALIKE"
    changed = "CHANGED"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class ModelDrift:
    """One model, then and now.

    `reported` are the ids that the provider gave for it, before and after; `same_requests` counts
    the requests that were word for word the same, `other_tokens` those of them whose input was
    counted as another number of tokens. `composite` and `output_tokens` are p-values of paired
    tests over cells, adjusted over all models. What could not be measured is None, and `missing`
    says what that is.
    """

    model: str
    finding: Finding
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
    def finding(self) -> Finding:
        """The gravest finding; without a model it is INCONCLUSIVE."""
        found = {model.finding for model in self.models}
        if Finding.changed in found:
            return Finding.changed
        return Finding.alike if found == {Finding.alike} else Finding.inconclusive

    @property
    def summary(self) -> str:
        """The finding in words; what simulated models did is always labelled so."""
        simulated = self.verdict.evidence is Evidence.simulated
        return f"SIMULATED {self.finding}" if simulated else str(self.finding)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "told": self.summary, "evidence": self.verdict.evidence,
            "verdict": self.verdict.summary, "reasons": list(self.verdict.reasons),
            "models": [{**asdict(m), "finding": str(m.finding)} for m in self.models],
        }  # fmt: skip


def compared(
    before: Sequence[Path],
    after: Sequence[Path],
    rubric: Rubric,
    noise: calibration.Noise,
    *,
    lab: Layout | None = None,
    plans: Sequence[Path] = (),
    seed: int = 1,
) -> Drift:
    """Compare two recordings between which nothing of ours was changed.

    A model has changed if the provider reports another id, if it counts the tokens of the same
    request otherwise, or if outputs moved beyond chance. It is alike only if none of that is so,
    an id or token counts are known on both sides, and the composite has surely moved by less than
    would matter (D. J. Schuirmann, A comparison of the two one-sided tests procedure, 1987; here
    at the level of the 95 % interval). Everything else is INCONCLUSIVE.

    Args:
        before: the directories of the recorded baseline runs.
        after: those of the runs made now.
        rubric: what is measured.
        noise: how far such recordings lie apart by chance.
        lab: the data repo.
        plans: further directories of baseline plans.
        seed: of the permutations.

    Raises:
        UsageError: something of ours differs, so that the models cannot be told apart by it.
    """
    records = comparability.check(before, after, claim="alike")
    records.require()
    terms = Terms(rubric=rubric, noise=noise, together=records.together, seed=seed)
    with measurer_for(rubric, plans, lab=lab) as measurer:
        sides, verdict = decide_sides(before, after, terms, measurer, records)
    names = sorted({Run(path).model for path in after})
    alone = {name: _only(sides.pairing, name) for name in names}
    kind = verdict.evidence
    verdicts = {n: decide(own, terms, evidence=kind) for n, own in alone.items() if own.pairs}
    p_values = holm(
        {
            **{f"composite {n}": one.composite.p for n, one in verdicts.items()},
            **{f"tokens {n}": _tokens_moved(own, seed) for n, own in alone.items()},
        }
    )
    attempts = [_attempts(paths) for paths in (before, after)]
    models = [
        _judged(
            name, verdicts.get(name), alone[name], p_values,
            [own.get(name, []) for own in attempts], terms,
        )
        for name in names
    ]  # fmt: skip
    return Drift(models=tuple(_blamed(models, verdict, verdicts)), verdict=verdict)


def _judged(
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
        reasons.append(f"the provider reports {_listed(ids[1])}, and reported {_listed(ids[0])}")
    same, other = _counted(*attempts)
    if not same:
        missing.append("token counts: no request was the same on both sides")
    elif other:
        reasons.append(f"{other} of {same} equal requests are counted as other numbers of tokens")
    composite, tokens = p_values.get(f"composite {name}"), p_values[f"tokens {name}"]
    if composite is not None and composite <= 2 * ERROR:
        reasons.append(f"the composite moved beyond chance (p = {composite:.4f})")
    if tokens is not None and tokens <= 2 * ERROR:
        reasons.append(f"the length of its outputs moved beyond chance (p = {tokens:.4f})")
    missing += _unmeasured(verdict, terms.rubric)
    finding = Finding.changed if reasons else Finding.alike
    if not reasons and (len(missing) > 1 or any(m.startswith("outputs") for m in missing)):
        finding = Finding.inconclusive
    return ModelDrift(
        model=name, finding=finding, reasons=tuple(reasons), missing=tuple(missing), reported=ids,
        same_requests=same, other_tokens=other, pairs=len(pairing.pairs),
        effect=None if verdict is None else verdict.composite.effect,
        composite=composite, output_tokens=tokens,
    )  # fmt: skip


def _blamed(
    models: Sequence[ModelDrift], verdict: Verdict, verdicts: Mapping[str, Verdict]
) -> list[ModelDrift]:
    """Name the models behind a KEEP or REJECT of all together, where none is named as yet."""
    moved = verdict.word is not Word.inconclusive
    if not moved or any(m.finding is Finding.changed for m in models):
        return list(models)
    decided = {n for n, one in verdicts.items() if one.word is verdict.word} or set(verdicts)
    told = f"the evaluator says {verdict.word}: {'; '.join(verdict.reasons)}"
    return [
        replace(m, finding=Finding.changed, reasons=(*m.reasons, told)) if m.model in decided else m
        for m in models
    ]


def _unmeasured(verdict: Verdict | None, rubric: Rubric) -> list[str]:
    """Say what the outputs lack to show that the composite has not moved, if they do."""
    if verdict is None or verdict.composite.effect is None:
        return ["outputs: no cell has content on both sides"]
    silent = sum(use.weight for use in rubric.metrics if use.id in verdict.composite.silent)
    if 2 * silent > sum(use.weight for use in rubric.metrics):
        return ["outputs: what weighs most in the rubric is undefined for them"]
    reach, least = verdict.composite.interval, rubric.minimal_effect
    if reach is None or not -least < reach.low <= reach.high < least:
        return ["outputs: too few cells to say that the composite has not moved"]
    return []


def _only(pairing: Pairing, model: str) -> Pairing:
    return Pairing(pairs=tuple(pair for pair in pairing.pairs if pair.model == model))


def _tokens_moved(pairing: Pairing, seed: int) -> float | None:
    """Return the two-sided p-value of the outputs' lengths, by sign flips; None without any."""
    known = [d for pair in pairing.pairs if (d := _longer(pair)) is not None]
    if not known:
        return None
    drawn = flips.flips(len(known), seed=seed)
    return two_sided(drawn.sums(np.array(known)[:, None])[0], widened=calibration.ASSUMED_DRIFT)


def _longer(pair: Pair) -> float | None:
    old, new = pair.before.output_tokens, pair.after.output_tokens
    return None if old is None or new is None or not pair.succeeded else float(new - old)


def _attempts(paths: Sequence[Path]) -> dict[str, list[Attempt]]:
    """Return the attempts that were answered, by model."""
    found: defaultdict[str, list[Attempt]] = defaultdict(list)
    for path in paths:
        run = Run(path)
        found[run.model] += [a for a in run.attempts() if a.status in _ANSWERED and not a.fallback]
    return found


def _reported(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    return tuple(sorted({a.reported_model for a in attempts if a.reported_model}))


def _counted(before: Sequence[Attempt], after: Sequence[Attempt]) -> tuple[int, int]:
    """Return how many requests were the same on both sides, and how many were counted otherwise."""
    old, new = _input_tokens(before), _input_tokens(after)
    same = old.keys() & new.keys()
    return len(same), sum(old[one] != new[one] for one in same)


def _input_tokens(attempts: Sequence[Attempt]) -> dict[str, frozenset[int]]:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for one in attempts:
        if one.input_tokens is not None:
            arguments = {k: v for k, v in one.arguments.items() if k not in _OF_THE_CELL}
            request = digest_of(one.model_id, one.messages, one.schema, arguments, one.options)
            found[request].add(one.input_tokens)
    return {request: frozenset(counts) for request, counts in found.items()}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
