"""Runs with nothing changed between them: their differences are noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from prompt_lab import layout, record
from prompt_lab.integrity import specification_digest
from prompt_lab.layout import Layout
from rubrics.rubric import Rubric
from self_improve.comparison import comparability
from self_improve.errors import UsageError
from self_improve.verdict import noise
from self_improve.verdict.differences import differences
from self_improve.verdict.noise import Noise
from self_improve.verdict.pairing import Pair, Pairing


def noise_of(batches: Sequence[Pairing], rubric: Rubric, sources: Sequence[str] = ()) -> Noise:
    """Return the noise of a step.

    Args:
        batches: comparisons of runs between which nothing was changed.
        rubric: what is measured.
        sources: the names of the runs, for the record.
    """
    gains = [differences(batch, rubric) for batch in batches]
    pairs = [pair for batch in batches for pair in batch.pairs if not pair.is_outside]
    flips: defaultdict[str, list[bool]] = defaultdict(list)
    collapses: defaultdict[str, list[bool]] = defaultdict(list)
    emptied: defaultdict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        flips[pair.model].append(pair.before.succeeded != pair.after.succeeded)
        if pair.succeeded:
            collapses[pair.model].append(_collapsed(pair, rubric.gates.collapse))
            emptied[pair.model].append(_emptied(pair, rubric))
    metrics = {}
    for column, use in enumerate(rubric.metrics):
        defined = [~np.isnan(one.forward[:, column]) for one in gains]
        spread = noise.spread(
            [one.forward[d, column].tolist() for one, d in zip(gains, defined, strict=True)],
            [np.array(one.models)[d].tolist() for one, d in zip(gains, defined, strict=True)],
        )
        if spread is not None:
            metrics[use.id] = spread
    measured = Noise(
        step=rubric.step,
        rubric_version=rubric.version,
        batches=len(batches),
        pairs=sum(len(batch.pairs) for batch in batches),
        flips=noise.flip_counts(flips),
        collapses=noise.total(noise.flip_counts(collapses)),
        collapses_by_model=noise.flip_counts(collapses),
        emptied_by_model=noise.flip_counts(emptied) if rubric.quantity.required else {},
        metrics=metrics,
        sources=tuple(sources),
    )
    # What a measure weighs depends on its noise, so the composite comes last.
    weighed = [replace(one, noise=measured) for one in gains]
    composite = noise.spread(
        [one.composites.tolist() for one in weighed], [one.models for one in weighed]
    )
    return measured.model_copy(update={"composite": composite})


def _collapsed(pair: Pair, share: float) -> bool:
    before, after = pair.before, pair.after
    return after.kept_less(share, before) or before.kept_less(share, after)


def _emptied(pair: Pair, rubric: Rubric) -> bool:
    share, fields = rubric.gates.collapse, rubric.quantity.required
    before, after = pair.before, pair.after
    return after.holds_less(share, before, fields) or before.holds_less(share, after, fields)


def repeated_batches(lab: Layout, step: str) -> Iterator[tuple[list[Path], list[Path]]]:
    """Yield the first run of each specification against each later run of it.

    Runs on different models that one command began are separate batches. Specifications that
    differ in their seed only are one: a server that honours a seed repeats itself otherwise.
    """
    runs_of: defaultdict[str, list[Path]] = defaultdict(list)
    for path in layout.runs(lab):
        run = record.Run(path)
        specification = _without_seed(run.meta)
        is_whole = run.step == step and run.finished and not run.meta.get("cache")
        if is_whole and isinstance(specification, str):
            runs_of[specification].append(path)
    for runs in runs_of.values():
        for later in runs[1:]:
            yield [runs[0]], [later]


def _without_seed(meta: Mapping[str, Any]) -> str | None:
    """Return what identifies a run's specification whatever its seed; None if it has none."""
    recorded = meta.get("specification")
    if not isinstance(recorded, str):
        return None
    return specification_digest(meta, without="seed") or recorded


def alike_or_why_not(
    batches: Sequence[tuple[list[Path], list[Path]]],
) -> tuple[list[tuple[list[Path], list[Path]]], list[str]]:
    """Return the batches whose records show nothing that differs, and why others are left out."""
    alike: list[tuple[list[Path], list[Path]]] = []
    reasons: list[str] = []
    for old, new in batches:
        refused = comparability.check(old, new, claim="alike").refusals
        if refused:
            reasons += refused
        else:
            alike.append((old, new))
    return alike, list(dict.fromkeys(reasons))


def require_variation(noise: Noise, pairings: Sequence[Pairing]) -> None:
    """Refuse runs that are the same to the byte: a deviation of 0 would make all certain.

    Raises:
        UsageError: nothing differs in any pair.
    """
    pairs = [pair for batch in pairings for pair in batch.pairs]
    content = [pair for pair in pairs if pair.succeeded]
    if (
        content
        and all(
            pair.before.values == pair.after.values and pair.before.lengths == pair.after.lengths
            for pair in content
        )
        and not any(one.flips for one in noise.flips.values())
    ):
        raise UsageError(
            f"All {len(content)} pairs are the same to the last number, so they show no noise: the "
            "server honours the seed, or the replies were not the model's own. Repeat the runs "
            "with another --seed."
        )
