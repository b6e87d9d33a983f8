"""Cells that belong together: the same plan, model and repeat before and after."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from model_gateway.blame import Blame, whose, whose_alone
from model_gateway.call import FailureKind
from prompt_lab.record import CellKey
from self_improve.measures.measured import MeasuredCell, MeasuredRun

_CONFIGURATION = str(FailureKind.configuration)
_CLOSED = frozenset(
    {FailureKind.access, FailureKind.no_credit, FailureKind.daily_limit,
     FailureKind.model_not_found}
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One cell on both sides."""

    before: MeasuredCell
    after: MeasuredCell

    @property
    def key(self) -> CellKey:
        """The key of both cells."""
        return self.before.key

    @property
    def plan(self) -> str:
        """The plan of both cells."""
        return self.before.plan

    @property
    def model(self) -> str:
        """The model of both cells."""
        return self.before.model

    @property
    def succeeded(self) -> bool:
        """Whether there is content on both sides."""
        return self.before.succeeded and self.after.succeeded

    @property
    def is_outside(self) -> bool:
        """Whether one side failed for a reason outside of prompt and code.

        Both sides have the same settings, so a request that is rejected on one side only is
        rejected for what was changed; and a change can make a model ramble beyond the time.
        """
        failed = [cell for cell in (self.before, self.after) if not cell.succeeded]
        if len(failed) == 1:
            return whose_alone(failed[0].failure_kind) is Blame.world
        blames = [whose(cell.failure_kind) for cell in failed]
        return Blame.world in blames or blames == [Blame.settings, Blame.settings]

    @property
    def swapped(self) -> Pair:
        """The pair with its sides exchanged."""
        return Pair(before=self.after, after=self.before)


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """All pairs of a comparison by key, and notes on what was left out and why."""

    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    @property
    def plans(self) -> tuple[str, ...]:
        """The plans that are compared."""
        return tuple(sorted({pair.plan for pair in self.pairs}))

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are compared."""
        return tuple(sorted({pair.model for pair in self.pairs}))

    def only(self, keys: Iterable[CellKey]) -> Pairing:
        """Return the pairs with these keys, in the order of the keys."""
        by_key = {pair.key: pair for pair in self.pairs}
        return replace(self, pairs=tuple(by_key[key] for key in keys if key in by_key))


def pair(before: Sequence[MeasuredRun], after: Sequence[MeasuredRun]) -> Pairing:
    """Pair the cells of two sides.

    The notes name what is left out: empty runs, models on one side only, models that failed on
    every plan of both sides because of a wrong configuration, and cells that the other side lacks;
    and gaps in the records. Runs of one
    model on the same side count as repeats of it.
    """
    notes: list[str] = []
    sides = {
        name: _cells(runs, name, notes) for name, runs in (("before", before), ("after", after))
    }
    models = {name: {cell.model for cell in cells} for name, cells in sides.items()}
    for name, other in (("before", "after"), ("after", "before")):
        alone = sorted(models[name] - models[other])
        notes += [f"{model}: only {name}, so it is left out" for model in alone]
    common = sorted(models["before"] & models["after"])
    broken = {model for model in common if _is_broken(model, sides, notes)}
    by_key = {
        name: {
            cell.key: cell for cell in cells if cell.model in common and cell.model not in broken
        }
        for name, cells in sides.items()
    }
    both = sorted(by_key["before"].keys() & by_key["after"].keys())
    for name, other in (("before", "after"), ("after", "before")):
        alone_in = Counter(key[1] for key in by_key[name].keys() - by_key[other].keys())
        notes += [
            f"{model}: {count} cells only {name}, so they are left out"
            for model, count in sorted(alone_in.items())
        ]
    pairs = tuple(Pair(before=by_key["before"][k], after=by_key["after"][k]) for k in both)
    outside = Counter(p.model for p in pairs if p.is_outside)
    notes += [
        f"{model}: {count} pairs in which a cell failed for reasons outside of the prompt"
        for model, count in sorted(outside.items())
    ]
    return Pairing(pairs=pairs, notes=tuple(notes))


def repeat_offsets(runs: Sequence[MeasuredRun]) -> list[int]:
    """Return what is added to the repeats of each run, so that runs of one model stay distinct."""
    taken: defaultdict[str, int] = defaultdict(int)
    offsets = []
    for run in runs:
        offsets.append(taken[run.model])
        if run.cells:
            taken[run.model] += max(cell.repeat for cell in run.cells) + 1
    return offsets


def _cells(runs: Sequence[MeasuredRun], side: str, notes: list[str]) -> list[MeasuredCell]:
    """Return the cells of a side; later runs of a model get the repeats that follow."""
    notes += [note for run in runs for note in run.notes]
    notes += [
        f"{run.path.parent.name}/{run.path.name}: an empty run {side}, left out"
        for run in runs
        if not (run.cells or run.restricted or run.notes)
    ]
    return [
        replace(cell, repeat=cell.repeat + offset)
        for run, offset in zip(runs, repeat_offsets(runs), strict=True)
        for cell in run.cells
    ]


def _is_broken(model: str, sides: Mapping[str, Sequence[MeasuredCell]], notes: list[str]) -> bool:
    kinds = {
        n: {c.failure_kind for c in of_side if c.model == model} for n, of_side in sides.items()
    }
    for name, of_side in kinds.items():
        if of_side and of_side <= _CLOSED:
            notes.append(f"{model}: no access to it on every plan {name}, so it is left out")
            return True
    broken = [name for name, of_side in kinds.items() if of_side == {_CONFIGURATION}]
    if len(broken) == len(sides):
        notes.append(f"{model}: wrongly configured on every plan of both sides, so it is left out")
        return True
    notes += [f"{model}: every request was rejected {name}, and only there" for name in broken]
    return False
