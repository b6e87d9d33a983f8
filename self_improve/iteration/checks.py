"""What a change that earned KEEP must not break: the steps downstream, and a whole plan."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway.config import Model
from model_gateway.gateway import Gateway
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison.sides import measurer_for
from self_improve.host.contract import Host
from self_improve.host.pipeline import StepFacts
from self_improve.iteration.judgement import decide_runs
from self_improve.measures.measured import MeasuredCell
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.relay import Relay, RelayResult, RelayStep, assembling_steps, readers_of
from self_improve.verdict import Word

TRIES = 5
_RUN = "the run itself"

Tries = tuple[Counter[str] | None, Counter[str] | None]
"""How often a step fails what in TRIES tries: as it was, and with the change. None: never run."""

Runs = Mapping[str, Sequence[Run]]
"""The runs of each side, one a model."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One side's code tree, ready to run cells, and what the runner would be asked for there."""

    work: Prepared
    wanted: RunRequest


class Checks:
    """Runs further steps on what the sides have written; `place` is scratch of this iteration."""

    def __init__(
        self,
        gateway: Gateway,
        layout: Layout,
        place: Path,
        display: Display,
        *,
        seed: int,
        plans: Path | None = None,
    ) -> None:
        """Take what runs the cells; `plans` holds `train/` instead of the baseline plans."""
        self._gateway = gateway
        self._layout = layout
        self._place = place
        self._display = display
        self._seed = seed
        self._train = plans / "train" if plans is not None else layout.split("train")

    async def downstream(
        self, trees: Mapping[str, Tree], runs: Runs, *, sharing: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Compare the steps that directly read the outputs, each on what its own side wrote.

        `sharing` are steps that send a text which the change has touched: they are compared, too.

        Returns:
            The verdict of each step, and `harm`: the steps that the evaluator rejects.
        """
        before, after = trees
        pipeline = trees[before].work.pipeline
        step = trees[before].wanted.step
        readers = [*readers_of(pipeline, step), *(pipeline.steps[name] for name in sharing)]
        steps = [*assembling_steps(pipeline, step), *readers]
        found: dict[str, dict[str, list[Run]]] = {facts.name: {} for facts in readers}
        stopped = None
        for name, tree in trees.items():
            for run in runs[name]:
                relayed = await self._relay(name, tree, run, steps)
                stopped = stopped or relayed.stopped
                for leg in relayed.steps:
                    if leg.step in found and leg.run is not None:
                        found[leg.step].setdefault(name, []).append(leg.run)
        rows = {s: self._compared(s, own.get(before), own.get(after)) for s, own in found.items()}
        return {
            "steps": rows,
            "harm": [f"{s}: {row['told']}" for s, row in rows.items() if row["word"] == "REJECT"],
            "stopped": stopped,
        }

    async def whole_plan(
        self, before: Tree, after: Tree, model: Model, plan: Path, *, name: str
    ) -> dict[str, Any]:
        """Run every step of the pipeline on one plan, and hold it against the stored one.

        Of some fifty steps one or the other fails a wish by chance, and another model may have made
        the stored plan. So where something is failed, the pipeline as it was makes the plan, too,
        and the steps in question are tried several times on both plans.

        Returns:
            `harm`: failed steps, and hard gates that the stored plan passes, where the change fails
            them again and the pipeline as it was does not; `as_before`: the others; `skipped`: why
            nothing can be said.
        """
        relayed = await self._whole(after, model, plan, name=name)
        stopped = relayed.stopped
        failed = {leg.step: self._failed(leg, plan) for leg in relayed.steps}
        suspects = [step for step, own in failed.items() if own]
        again: dict[str, Tries] = {}
        if suspects and stopped is None:
            old = await self._whole(before, model, plan, name=f"{name}_before")
            stopped = old.stopped
            sides = {"before": (before, old), "after": (after, relayed)}
            for step in suspects if stopped is None else ():
                counts = []
                for side, (tree, made) in sides.items():
                    where = f"{name}_again/{side}/{step}"
                    count, stopped = await self._again(tree, model, made, plan, step, where)
                    counts.append(count)
                    if stopped is not None:
                        break
                else:
                    again[step] = (counts[0], counts[1])
                    continue
                break
        harm, as_before = split_by_blame(failed, again)
        waiting = [leg for leg in relayed.steps if leg.run is None or not leg.run.rows()]
        found: dict[str, Any] = {
            "plan": plan.name,
            "model": model.name,
            "steps": len(relayed.steps),
            "runs": [self._name(leg.run) for leg in relayed.steps if leg.run is not None],
            "harm": [] if stopped else harm,
            "as_before": as_before,
            "stopped": stopped,
        }
        if waiting and not harm and stopped is None:
            told = next(iter(waiting[0].failures.values()), "")
            found["skipped"] = f"{len(waiting)} steps could not be run: {waiting[0].step}: {told}"
        return found

    async def _whole(self, tree: Tree, model: Model, plan: Path, *, name: str) -> RelayResult:
        """Run every step on what a plan was given."""
        # Steps that read nothing are given: the plan's text, its start time.
        steps = [f for f in tree.work.pipeline.steps.values() if not f.external and f.inputs]
        relay = Relay(
            self._gateway, tree.work, tree.wanted, output=self._layout,
            folder=self._place / name / "plans", display=self._display,
        )  # fmt: skip
        return await relay.run(model, {plan.name: plan}, steps)

    async def _again(
        self, tree: Tree, model: Model, made: RelayResult, plan: Path, step: str, where: str
    ) -> tuple[Counter[str] | None, str | None]:
        """Count what a step fails in TRIES tries on a plan; None if it cannot be run there."""
        facts = tree.work.pipeline.steps.get(step)
        if facts is None:
            return None, None
        relay = Relay(
            self._gateway, tree.work, tree.wanted, output=self._layout, repeats=TRIES,
            folder=self._place / where, display=self._display,
        )  # fmt: skip
        relayed = await relay.run(model, {plan.name: made.plans[plan.name]}, [facts])
        run, rubric = relayed.steps[0].run, load.find(step)
        if run is None or not run.rows():
            return None, relayed.stopped
        count = Counter(_RUN for row in run.rows().values() if row.get("error") is not None)
        if rubric is not None:
            count.update(self._gates(rubric, run, plan))
        return count, relayed.stopped

    def _name(self, run: Run) -> str:
        return run.path.resolve().relative_to(self._layout.root.resolve()).as_posix()

    def _failed(self, leg: RelayStep, plan: Path) -> dict[str, str]:
        """Return what a step fails, in words, by what it is: the run itself, or a hard gate.

        A step that could not be run, because another one failed, fails nothing itself.
        """
        if leg.run is None or not leg.run.rows():
            return {}
        if leg.failures:
            return {_RUN: next(iter(leg.failures.values()))}
        rubric = load.find(leg.step)
        gates = [] if rubric is None else self._gates(rubric, leg.run, plan)
        return {gate: gate for gate in gates}

    async def _relay(
        self, side: str, tree: Tree, run: Run, steps: Sequence[StepFacts]
    ) -> RelayResult:
        model = next(m for m in tree.wanted.models if m.name == run.model)
        folder = self._place / "downstream" / side / run.model
        sources = {
            plan: self._overlaid(folder / "sources" / plan, plan, run, tree.work.host)
            for (plan, repeat), row in run.rows().items()
            if repeat == 0 and row.get("error") is None
        }
        relay = Relay(
            self._gateway, tree.work, tree.wanted, output=self._layout,
            folder=folder / "plans", display=self._display,
        )  # fmt: skip
        return await relay.run(model, sources, steps)

    def _overlaid(self, target: Path, plan: str, run: Run, host: Host) -> Path:
        """Return a copy of a baseline plan in which the run's outputs are."""
        if target.is_dir():
            return target
        partial = target.with_name(f".{target.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        source = self._train / plan
        shutil.copytree(source, partial, ignore=shutil.ignore_patterns(".*"))
        names = {host.common_name(p.name): p for p in partial.iterdir() if p.is_file()}
        for name in run.rows()[plan, 0].get("outputs", {}):
            old = names.get(host.common_name(name))
            if old is not None:
                old.unlink()
            shutil.copyfile(run.outputs(plan) / name, partial / name)
        partial.rename(target)
        return target

    def _compared(
        self, step: str, before: Sequence[Run] | None, after: Sequence[Run] | None
    ) -> dict[str, Any]:
        rubric = load.find(step)
        if rubric is None or not before or not after:
            why = "has no rubric" if rubric is None else "was not run on both sides"
            return {"word": str(Word.inconclusive), "told": f"{step} {why}"}
        verdict = decide_runs(
            before, after, rubric, self._layout, seed=self._seed, same_inputs=False
        ).verdict
        return {
            "word": str(verdict.word),
            "told": "; ".join(verdict.reasons),
            "effect": verdict.composite.effect,
        }

    def _gates(self, rubric: Rubric, run: Run, plan: Path) -> list[str]:
        """Return the hard gates that a step's new outputs fail and the stored ones pass."""
        with measurer_for(rubric, [plan.parent]) as measurer:
            new = measurer.run(run.path)
            stored = measurer.baseline(new)
        if not stored.cells:
            return []
        return [told for cell in new.cells for told in lost_gates(stored.cells[0], cell, rubric)]


def split_by_blame(
    failed: Mapping[str, Mapping[str, str]], again: Mapping[str, Tries]
) -> tuple[list[str], list[str]]:
    """Return what only the change fails, and what else was failed once, in lines.

    It is harm if the change fails it nearly always, and clearly more often than what was before: a
    wish that is missed in 15 % of tries passes for broken in about one of eighty cases.
    """
    harm: list[str] = []
    as_before: list[str] = []
    for step, own in failed.items():
        before, after = again.get(step, (None, None))
        for what, told in own.items():
            often = (
                before is not None
                and after is not None
                and after[what] >= TRIES - 1
                and after[what] - before[what] >= TRIES - 2
            )
            (harm if often else as_before).append(f"{step}: {told}")
    return harm, as_before


def lost_gates(before: MeasuredCell, after: MeasuredCell, rubric: Rubric) -> list[str]:
    """Return the hard gates that the cell before passes and the one after fails."""
    if not before.succeeded:
        return []
    if not after.succeeded:
        return [f"no usable output ({after.failure_kind or 'no items'})"]
    told = []
    if before.items and after.items is not None:
        share = after.items / before.items
        if share < rubric.gates.collapse:
            told.append(f"{after.items} items where the stored plan has {before.items}")
    for constraint in rubric.constraints:
        kept = (_holds(before, constraint), _holds(after, constraint))
        if constraint.metric is not None and kept == (True, False):
            told.append(constraint.text)
    return told


def _holds(cell: MeasuredCell, constraint: Any) -> bool | None:
    """Return whether a cell keeps a bound, or None if the measure is undefined."""
    value = cell.values.get(constraint.metric)
    if value is None:
        return None
    low_ok = constraint.low is None or value >= constraint.low
    return low_ok and (constraint.high is None or value <= constraint.high)
