"""Asking the pinned models once more what recorded baseline runs asked them, under caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.config import Catalogue, Model
from model_gateway.errors import BudgetReached
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from rubrics import load
from self_improve.code import code_tree
from self_improve.code.worktree import Worktrees
from self_improve.errors import UsageError
from self_improve.host import contract as host
from self_improve.records.rubric_choice import rubric_for
from self_improve.rollout.drift import Drift, compared
from self_improve.rollout.state import State
from self_improve.runs.estimate import RunEstimate
from self_improve.runs.experiment import Experiment, experiment
from self_improve.runs.preparation import RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.session import ledger_for
from self_improve.verdict import noise

_SIDE = "now"


@dataclass(frozen=True, kw_only=True)
class DriftRequest:
    """What a drift check was asked for. `models` are those to ask; none means all of the runs."""

    layout: Layout
    against: tuple[Path, ...]
    catalogue: Catalogue
    models: tuple[Model, ...] = ()
    split: str = "train"
    baseline_dir: Path | None = None
    code: Path | None = None
    host_file: Path | None = None
    workers: int = 64
    seconds: float = 1800.0
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What came of a check, and the facts for the log."""

    drift: Drift
    order: str
    before: tuple[Path, ...]
    after: tuple[Path, ...]

    def to_row(self, layout: Layout) -> dict[str, Any]:
        """Return plain JSON values; runs are named as records name them."""
        return {
            "order": self.order, "before": _names(layout, self.before),
            "after": _names(layout, self.after), **self.drift.to_row(),
        }  # fmt: skip


class DriftCheck:
    """One drift check. The same one goes on where a killed one stopped, and pays nothing twice."""

    def __init__(self, order: DriftRequest, state: State) -> None:
        self._order = order
        self.runs = _fitting(order)
        self._models = order.models or order.catalogue.choose(_models(self.runs))
        self.digest = digest_of(
            [run.meta.get("run_id") for run in self.runs], sorted(m.name for m in self._models)
        )
        self._number = sum(row.get("order") == self.digest for row in state.drifts)

    async def expected(self) -> RunEstimate:
        """Return what is left to run will probably come to; nothing is sent."""
        async with self._experiment() as trial:
            return (await trial.expected())[_SIDE]

    async def run(self, display: Display) -> Checked:
        """Run the cells that are left, and compare.

        Raises:
            UsageError: the runs cannot be repeated as they were.
            BudgetReached: a cap was reached.
        """
        async with self._experiment() as trial:
            ledger = ledger_for(trial.requests[_SIDE], trial.states()[_SIDE])
            keys = self._order.catalogue.key_variables
            async with Gateway(ledger=ledger, key_variables=keys) as gateway:
                ran = await trial.run(gateway, display)
        if ran.stopped is not None:
            raise BudgetReached(f"{ran.stopped} was reached, and cells are left")
        after = tuple(run.path for run in ran.runs[_SIDE])
        before = tuple(run.path for run in self.runs)
        rubric = rubric_for(before[0])
        plans = () if self._order.baseline_dir is None else (self._order.baseline_dir,)
        drift = compared(
            before, after, rubric, noise.find(rubric, load.FOLDER), lab=self._order.layout,
            plans=plans,
        )  # fmt: skip
        return Checked(drift=drift, order=self.digest, before=before, after=after)

    def _experiment(self) -> AbstractAsyncContextManager[Experiment]:
        return experiment({_SIDE: self._wanted()})

    def _wanted(self) -> RunRequest:
        order, first = self._order, self.runs[0]
        plans = sorted({plan for run in self.runs for plan in run.meta["inputs"]})
        folder = order.baseline_dir or order.layout.split(order.split)
        if (folder / order.split).is_dir():
            folder /= order.split
        return RunRequest(
            step=first.step, models=self._models, catalogue=order.catalogue, layout=order.layout,
            output=order.layout, split=order.split, plan_dirs=tuple(folder / p for p in plans),
            repeats=_repeats(self.runs), code=self._code(), host_file=order.host_file,
            speed=first.meta["speed"], seed=self._seed(), seconds=order.seconds,
            workers=order.workers, caps=order.caps,
        )  # fmt: skip

    def _seed(self) -> int:
        """Return a seed of this check's own, so that no other command takes its runs for its own.

        It depends on how many checks of this kind are finished: a killed one finds its runs again.
        """
        return int(digest_of(self.digest, self._number)[:7], 16)

    def _code(self) -> Path:
        """Return code that is what the runs were made with: ours, or a worktree of their commit."""
        own = (self._order.code or host.own_code()).expanduser().resolve()
        contract = host.load(host.locate(self._order.host_file, own))
        recorded = self.runs[0].meta["code"]
        if code_tree.read(own, contract.import_roots).digest == recorded["digest"]:
            return own
        commit = recorded.get("commit")
        if commit is None or recorded.get("dirty"):
            raise UsageError(
                f"{self.runs[0].path} was made with code that no commit names, and that {own} does "
                "not hold any more. Take a baseline run of committed code."
            )
        worktrees = Worktrees(own, self._order.layout.worktrees)
        return worktrees.open(f"baseline-{commit[:12]}", commit).code


def _fitting(order: DriftRequest) -> tuple[Run, ...]:
    """Return the recorded runs of the models that are asked.

    Raises:
        UsageError: a run cannot be repeated, or a model has no recorded run; all are named.
    """
    wanted = {model.name for model in order.models}
    known = [Run(path) for path in order.against]
    runs = [run for run in known if not wanted or run.model in wanted]
    problems = [told for run in runs if (told := _fault(run)) is not None]
    lacking = sorted(wanted - {run.model for run in runs})
    problems += [f"none of the runs is of {name}" for name in lacking]
    for what in ("step", "speed", "host"):
        values = {str(run.meta.get(what)) for run in runs}
        problems += [f"the runs differ in their {what}: {', '.join(sorted(values))}"] * (
            len(values) > 1
        )
    if problems or not runs:
        told = "\n  ".join(problems) or "there are none"
        raise UsageError(
            f"These runs cannot be the baseline of a drift check:\n  {told}\n"
            "Name finished runs with unchanged prompts, of one step, each model with its own."
        )
    return tuple(runs)


def _fault(run: Run) -> str | None:
    """Say why a run cannot be repeated, or return None."""
    meta = run.meta
    needed = ("run_id", "speed", "repeats")
    tables = ("inputs", "code", "candidate")
    lacking = [key for key in needed if key not in meta]
    lacking += [key for key in tables if not isinstance(meta.get(key), Mapping)]
    if lacking:
        return f"{run.path} does not record its {', '.join(lacking)}"
    if not run.finished:
        return f"{run.path} is not finished"
    if meta["candidate"].get("surfaces"):
        return f"{run.path} was run with other prompts than those in the code"
    return None


def _models(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.model for run in runs))


def _repeats(runs: Sequence[Run]) -> int:
    """Return how many repeats pair with all that the runs of a model have together."""
    return max(
        sum(int(run.meta["repeats"]) for run in runs if run.model == name) for name in _models(runs)
    )


def _names(layout: Layout, paths: Sequence[Path]) -> list[str]:
    root = layout.root.resolve()
    return [
        path.resolve().relative_to(root).as_posix()
        if path.resolve().is_relative_to(root)
        else path.name
        for path in paths
    ]
