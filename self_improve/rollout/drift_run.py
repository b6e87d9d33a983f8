"""Repeats recorded baseline runs on the pinned models, under caps, and compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_gateway import availability
from model_gateway.attempt import digest_of
from model_gateway.config import Catalogue, Model
from model_gateway.errors import BudgetReached
from model_gateway.foreign_files import resolved
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from rubrics import load
from self_improve.code import code_tree
from self_improve.code.worktrees import Worktrees
from self_improve.errors import UsageError
from self_improve.host import contract
from self_improve.records.rubric_choice import rubric_for
from self_improve.rollout.drift import Drift, compare
from self_improve.rollout.state import State
from self_improve.runs.estimate import RunEstimate
from self_improve.runs.experiment import Experiment, experiment
from self_improve.runs.preparation import RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.session import ledger_for
from self_improve.sandbox.choice import Sandboxing
from self_improve.verdict import noise

_SIDE = "now"


@dataclass(frozen=True, kw_only=True)
class DriftRequest:
    """The request of a drift check. `models` are those to ask; empty means all of the runs."""

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
    sandbox: Sandboxing = Sandboxing.auto


@dataclass(frozen=True, kw_only=True)
class DriftResult:
    """The result of a check, with its facts for the log."""

    drift: Drift
    identity: str
    before: tuple[Path, ...]
    after: tuple[Path, ...]

    def to_row(self, layout: Layout) -> dict[str, Any]:
        """Return plain JSON values; runs are named as records name them."""
        return {
            "order": self.identity, "before": _names(layout, self.before),
            "after": _names(layout, self.after), **self.drift.to_row(),
        }  # fmt: skip


class DriftCheck:
    """One drift check. Repeated after a kill, it resumes and pays for no call twice."""

    def __init__(self, request: DriftRequest, state: State) -> None:
        self._request = request
        self.runs = _baseline_runs(request)
        self._models = request.models or request.catalogue.choose(_models(self.runs))
        self.digest = digest_of(
            [run.meta.get("run_id") for run in self.runs], sorted(m.name for m in self._models)
        )
        self._number = sum(row.get("order") == self.digest for row in state.drifts)

    async def expected(self) -> RunEstimate:
        """Return an estimate of the cells that are left; nothing is sent."""
        async with self._experiment() as cells:
            return (await cells.expected())[_SIDE]

    async def run(self, display: Display) -> DriftResult:
        """Run the cells that are left, and compare.

        Raises:
            UsageError: the runs cannot be repeated as they were.
            BudgetReached: a cap was reached.
        """
        async with self._experiment() as cells:
            ledger = ledger_for(cells.requests[_SIDE], cells.states()[_SIDE])
            redact = self._request.catalogue.redactor()
            async with Gateway(
                ledger=ledger, redact=redact, availability=availability.of_user()
            ) as gateway:
                ran = await cells.run(gateway, display)
        if ran.stopped is not None:
            raise BudgetReached(f"{ran.stopped}, and cells are left")
        after = tuple(run.path for run in ran.runs[_SIDE])
        before = tuple(run.path for run in self.runs)
        rubric = rubric_for(before[0])
        plans = () if self._request.baseline_dir is None else (self._request.baseline_dir,)
        lab = self._request.layout
        calibration = noise.find(rubric, load.FOLDER, lab)
        drift = compare(before, after, rubric, calibration, lab=lab, plans=plans)
        return DriftResult(drift=drift, identity=self.digest, before=before, after=after)

    def _experiment(self) -> AbstractAsyncContextManager[Experiment]:
        return experiment({_SIDE: self._run_request()})

    def _run_request(self) -> RunRequest:
        request, first = self._request, self.runs[0]
        plans = sorted({plan for run in self.runs for plan in run.meta["inputs"]})
        folder = request.baseline_dir or request.layout.split(request.split)
        if (folder / request.split).is_dir():
            folder /= request.split
        return RunRequest(
            step=first.step, models=self._models, catalogue=request.catalogue,
            layout=request.layout, output=request.layout, split=request.split,
            plan_dirs=tuple(folder / p for p in plans), repeats=_repeats(self.runs),
            code=self._code(), host_file=request.host_file, speed=first.meta["speed"],
            seed=self._seed(), seconds=request.seconds, workers=request.workers, caps=request.caps,
            sandbox=request.sandbox, accept_failures=True,
        )  # fmt: skip

    def _seed(self) -> int:
        """Return a seed that no other command uses, so that none resumes this check's runs.

        It depends on the number of finished checks of this kind: a killed one finds its runs again.
        """
        return int(digest_of(self.digest, self._number)[:7], 16)

    def _code(self) -> Path:
        """Return the code of the recorded runs: the present tree, or a worktree of its commit."""
        code = resolved(self._request.code or contract.own_code())
        host = contract.load(contract.locate(self._request.host_file, code))
        recorded = self.runs[0].meta["code"]
        if code_tree.read(code, host.import_roots).digest == recorded["digest"]:
            return code
        commit = recorded.get("commit")
        if commit is None or recorded.get("dirty"):
            raise UsageError(
                f"{self.runs[0].path} was made with uncommitted code that {code} no longer holds. "
                "Take a baseline run of committed code."
            )
        redactor = self._request.catalogue.redactor()
        worktrees = Worktrees(code, self._request.layout.worktrees, redactor=redactor)
        return worktrees.open(f"baseline-{commit[:12]}", commit).code


def _baseline_runs(request: DriftRequest) -> tuple[Run, ...]:
    """Return the recorded runs of the requested models.

    Raises:
        UsageError: a run cannot be repeated, or a model has no recorded run; all are named.
    """
    names = {model.name for model in request.models}
    recorded = [Run(path) for path in request.against]
    runs = [run for run in recorded if not names or run.model in names]
    problems = [fault for run in runs if (fault := _fault(run)) is not None]
    lacking = sorted(names - {run.model for run in runs})
    problems += [f"none of the runs is of {name}" for name in lacking]
    for what in ("step", "speed", "host"):
        values = {str(run.meta.get(what)) for run in runs}
        problems += [f"the runs differ in their {what}: {', '.join(sorted(values))}"] * (
            len(values) > 1
        )
    if problems or not runs:
        details = "\n  ".join(problems) or "there are none"
        raise UsageError(
            f"These runs cannot be the baseline of a drift check:\n  {details}\n"
            "Name finished runs with unchanged prompts, of one step, with runs of each model."
        )
    return tuple(runs)


def _fault(run: Run) -> str | None:
    """Return why a run cannot be repeated, or None."""
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
        return f"{run.path} was run with changed prompts"
    return None


def _models(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.model for run in runs))


def _repeats(runs: Sequence[Run]) -> int:
    """Return how many repeats pair with all repeats of a model's runs together."""
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
