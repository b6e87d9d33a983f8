"""Runs with nothing changed between them: what lies between those is noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from prompt_lab import layout, record
from prompt_lab.layout import Layout
from rubrics.rubric import Rubric
from self_improve.verdict import noise
from self_improve.verdict.effects import differences
from self_improve.verdict.noise import Flipping, Noise
from self_improve.verdict.pairing import Pair, Pairing


def measured(batches: Sequence[Pairing], rubric: Rubric, sources: Sequence[str] = ()) -> Noise:
    """Return the noise of a step.

    Args:
        batches: comparisons of runs between which nothing was changed.
        rubric: what is measured.
        sources: where they come from, for the record.
    """
    found = [differences(batch, rubric) for batch in batches]
    pairs = [pair for batch in batches for pair in batch.pairs if not pair.is_outside]
    flips: defaultdict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        flips[pair.model].append(pair.before.succeeded != pair.after.succeeded)
    shrunk = [_shrank(pair, rubric.gates.collapse) for pair in pairs if pair.succeeded]
    metrics = {}
    for column, use in enumerate(rubric.metrics):
        gains = [one.forward[:, column] for one in found]
        spread = noise.spread([own[~np.isnan(own)].tolist() for own in gains])
        if spread is not None:
            metrics[use.id] = spread
    return Noise(
        step=rubric.step,
        rubric_version=rubric.version,
        batches=len(batches),
        pairs=sum(len(batch.pairs) for batch in batches),
        flips=noise.flipping(flips),
        collapses=Flipping(flips=sum(shrunk), pairs=len(shrunk)),
        composite=noise.spread([one.composites.tolist() for one in found]),
        metrics=metrics,
        sources=tuple(sources),
    )


def _shrank(pair: Pair, share: float) -> bool:
    old, new = pair.before.items, pair.after.items
    return old is not None and new is not None and (new < share * old or old < share * new)


def again(lab: Layout, step: str) -> Iterator[tuple[list[Path], list[Path]]]:
    """Yield the runs of each specification that was run more than once, the first against another.

    Runs on different models that were begun with one command are told apart here: each is a batch
    of its own.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in layout.runs(lab):
        run = record.Run(path)
        specification = run.meta.get("specification")
        is_whole = run.step == step and run.finished and not run.meta.get("cache")
        if is_whole and isinstance(specification, str):
            found[specification].append(path)
    for runs in found.values():
        for later in runs[1:]:
            yield [runs[0]], [later]
