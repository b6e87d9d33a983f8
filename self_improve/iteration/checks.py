"""Checks of a change that earned KEEP: the steps downstream, and a whole plan."""

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
from self_improve.iteration.harm import TRIES, Tries, lost_gates, split_by_blame
from self_improve.iteration.judgement import decide_runs
from self_improve.runs.open_cells import OpenCells
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.relay import Relay, RelayResult, RelayStep, assembling_steps, readers_of
from self_improve.verdict import Word

_RUN = "the run itself"

Runs = Mapping[str, Sequence[Run]]
"""The runs of each side, one per model."""


@dataclass(frozen=True, kw_only=True)
class SideTree:
    """One side's code tree, ready to run cells, and the request for runs in it."""

    work: Prepared
    request: RunRequest


class Checks:
    """Runs further steps on the outputs of the sides; `scratch` is that of this iteration."""

    def __init__(
        self,
        gateway: Gateway,
        layout: Layout,
        scratch: Path,
        display: Display,
        *,
        seed: int,
        plans: Path | None = None,
    ) -> None:
        """Take the gateway for the cells; `plans` holds `train/` instead of the baseline plans."""
        self._gateway = gateway
        self._layout = layout
        self._scratch = scratch
        self._display = display
        self._seed = seed
        self._train = plans / "train" if plans is not None else layout.split("train")

    async def downstream(
        self, trees: Mapping[str, SideTree], runs: Runs, *, sharing: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Compare the steps that directly read the outputs, each on the outputs of its side.

        `sharing` are steps that send a text which the change has touched; they are compared, too.

        Returns:
            The verdict on each step, and `harm`: the steps that the evaluator rejects.
        """
        before, after = trees
        pipeline = trees[before].work.pipeline
        step = trees[before].request.step
        readers = [*readers_of(pipeline, step), *(pipeline.steps[name] for name in sharing)]
        steps = [*assembling_steps(pipeline, step), *readers]
        step_runs: dict[str, dict[str, list[Run]]] = {facts.name: {} for facts in readers}
        stopped, left = None, OpenCells(kinds={}, closed={})
        for name, tree in trees.items():
            for run in runs[name]:
                relayed = await self._relay(name, tree, run, steps)
                stopped = stopped or relayed.stopped
                left |= relayed.open_cells
                for one in relayed.steps:
                    if one.step in step_runs and one.run is not None:
                        step_runs[one.step].setdefault(name, []).append(one.run)
        if stopped is None:
            left.refuse()
        # The key "told" is that of stored records.
        rows = {
            step: self._compared(step, sides.get(before), sides.get(after))
            for step, sides in step_runs.items()
        }
        return {
            "steps": rows,
            "harm": [f"{s}: {row['told']}" for s, row in rows.items() if row["word"] == "REJECT"],
            "stopped": stopped,
        }

    async def whole_plan(
        self, before: SideTree, after: SideTree, model: Model, plan: Path, *, name: str
    ) -> dict[str, Any]:
        """Run every step of the pipeline on one plan, and compare it with the stored one.

        Of some fifty steps, one or another fails a gate by chance, and another model may have made
        the stored plan. So after a failure the unchanged pipeline makes the plan, too, and each
        failed step is tried several times on both plans.

        Returns:
            `harm`: failed steps, and hard gates that the stored plan passes, where the change fails
            again and the unchanged pipeline does not; `as_before`: the other failures; `skipped`:
            why the check is incomplete.
        """
        relayed = await self._whole(after, model, plan, name=name)
        stopped = relayed.stopped
        failed = {one.step: self._failures(one, plan) for one in relayed.steps}
        suspects = [step for step, failures in failed.items() if failures]
        again: dict[str, Tries] = {}
        if suspects and stopped is None:
            old = await self._whole(before, model, plan, name=f"{name}_before")
            stopped = old.stopped
            sides = (("before", before, old), ("after", after, relayed))
            for step in suspects:
                counts: list[Counter[str] | None] = []
                for side, tree, whole in sides:
                    if stopped is None:
                        where = f"{name}_again/{side}/{step}"
                        count, stopped = await self._again(tree, model, whole, plan, step, where)
                        counts.append(count)
                if stopped is None:
                    again[step] = (counts[0], counts[1])
        harm, as_before = split_by_blame(failed, again)
        waiting = [one for one in relayed.steps if one.run is None or not one.run.rows()]
        row: dict[str, Any] = {
            "plan": plan.name,
            "model": model.name,
            "steps": len(relayed.steps),
            "runs": [self._name(one.run) for one in relayed.steps if one.run is not None],
            "harm": [] if stopped else harm,
            "as_before": as_before,
            "stopped": stopped,
        }
        if waiting and not harm and stopped is None:
            reason = next(iter(waiting[0].failures.values()), "")
            row["skipped"] = f"{len(waiting)} steps could not be run: {waiting[0].step}: {reason}"
        return row

    async def _whole(self, tree: SideTree, model: Model, plan: Path, *, name: str) -> RelayResult:
        """Run every step on the inputs of a plan."""
        # Steps that read nothing are inputs: the plan's text, its start time.
        steps = [f for f in tree.work.pipeline.steps.values() if not f.external and f.inputs]
        relay = Relay(
            self._gateway, tree.work, tree.request, output=self._layout,
            folder=self._scratch / name / "plans", display=self._display,
        )  # fmt: skip
        relayed = await relay.run(model, {plan.name: plan}, steps)
        if relayed.stopped is None:
            relayed.open_cells.refuse()
        return relayed

    async def _again(
        self, tree: SideTree, model: Model, whole: RelayResult, plan: Path, step: str, where: str
    ) -> tuple[Counter[str] | None, str | None]:
        """Count the failures of a step in TRIES tries on a plan; None if it cannot be run."""
        facts = tree.work.pipeline.steps.get(step)
        if facts is None:
            return None, None
        relay = Relay(
            self._gateway, tree.work, tree.request, output=self._layout, repeats=TRIES,
            folder=self._scratch / where, display=self._display,
        )  # fmt: skip
        relayed = await relay.run(model, {plan.name: whole.plans[plan.name]}, [facts])
        if relayed.stopped is None:
            relayed.open_cells.refuse()
        run, rubric = relayed.steps[0].run, load.find(step)
        if run is None or not run.rows():
            return None, relayed.stopped
        count = Counter(_RUN for row in run.rows().values() if row.get("error") is not None)
        if rubric is not None:
            count.update(self._lost_gates(rubric, run, plan))
        return count, relayed.stopped

    def _name(self, run: Run) -> str:
        return run.path.resolve().relative_to(self._layout.root.resolve()).as_posix()

    def _failures(self, one: RelayStep, plan: Path) -> dict[str, str]:
        """Return the messages of a step's failures by what failed: the run itself, or a hard gate.

        A step that could not be run because another one failed has no failure of its own.
        """
        if one.run is None or not one.run.rows():
            return {}
        if one.failures:
            return {_RUN: next(iter(one.failures.values()))}
        rubric = load.find(one.step)
        gates = [] if rubric is None else self._lost_gates(rubric, one.run, plan)
        return {gate: gate for gate in gates}

    async def _relay(
        self, side: str, tree: SideTree, run: Run, steps: Sequence[StepFacts]
    ) -> RelayResult:
        model = next(m for m in tree.request.models if m.name == run.model)
        folder = self._scratch / "downstream" / side / run.model
        sources = {
            plan: self._with_outputs(folder / "sources" / plan, plan, run, tree.work.host)
            for (plan, repeat), row in run.rows().items()
            if repeat == 0 and row.get("error") is None
        }
        relay = Relay(
            self._gateway, tree.work, tree.request, output=self._layout,
            folder=folder / "plans", display=self._display,
        )  # fmt: skip
        return await relay.run(model, sources, steps)

    def _with_outputs(self, target: Path, plan: str, run: Run, host: Host) -> Path:
        """Return a copy of a baseline plan with the run's outputs in it."""
        if target.is_dir():
            return target
        partial = target.with_name(f".{target.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(self._train / plan, partial, ignore=shutil.ignore_patterns(".*"))
        overlay(partial, run, plan, host)
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

    def _lost_gates(self, rubric: Rubric, run: Run, plan: Path) -> list[str]:
        """Return the hard gates that a step's new outputs fail and the stored ones pass."""
        with measurer_for(rubric, [plan.parent]) as measurer:
            new = measurer.run(run.path)
            stored = measurer.baseline(new)
        if not stored.cells:
            return []
        return [gate for cell in new.cells for gate in lost_gates(stored.cells[0], cell, rubric)]


def overlay(copy: Path, run: Run, plan: str, host: Host) -> None:
    """Put a run's outputs for a plan into a copy of it, in place of all generations of their names.

    Raises:
        OSError: a file cannot be copied.
    """
    names = {
        host.common_name(p.relative_to(copy).as_posix()): p for p in copy.rglob("*") if p.is_file()
    }
    for name in run.rows()[plan, 0].get("outputs", {}):
        old = names.get(host.common_name(name))
        if old is not None:
            old.unlink()
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run.outputs(plan) / name, target)
