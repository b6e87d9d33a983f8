"""What a change that earned KEEP must not break: the steps downstream, and a whole plan."""

from __future__ import annotations

import shutil
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
from self_improve.fork_server import StepFacts
from self_improve.host import Host
from self_improve.iteration.judging import judged
from self_improve.measured import MeasuredCell
from self_improve.preparation import Prepared, Wanted
from self_improve.progress import Display
from self_improve.relay import Relay, Relayed, below, readers_of
from self_improve.sides import measurer_for
from self_improve.verdict import Word

Runs = Mapping[str, Sequence[Run]]
"""The runs of each side, one a model."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One side's code tree, ready to run cells, and what the runner would be asked for there."""

    work: Prepared
    wanted: Wanted


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
        steps = [*below(pipeline, step), *readers]
        found: dict[str, dict[str, list[Run]]] = {facts.name: {} for facts in readers}
        stopped = None
        for name, tree in trees.items():
            for run in runs[name]:
                relayed = await self._relay(name, tree, run, steps)
                stopped = stopped or relayed.stopped
                for leg in relayed.legs:
                    if leg.step in found and leg.run is not None:
                        found[leg.step].setdefault(name, []).append(leg.run)
        rows = {s: self._compared(s, own.get(before), own.get(after)) for s, own in found.items()}
        return {
            "steps": rows,
            "harm": [f"{s}: {row['told']}" for s, row in rows.items() if row["word"] == "REJECT"],
            "stopped": stopped,
        }

    async def whole_plan(
        self, tree: Tree, model: Model, plan: Path, *, name: str
    ) -> dict[str, Any]:
        """Run every step of the pipeline on one plan, and hold it against the stored one.

        Returns:
            `harm`: failed steps, and hard gates that the stored plan passes.
        """
        pipeline = tree.work.pipeline
        # Steps that read nothing are given: the plan's text, its start time.
        steps = [f for f in pipeline.steps.values() if not f.given and f.inputs]
        relay = Relay(
            self._gateway, tree.work, tree.wanted, output=self._layout,
            folder=self._place / name / "plans", display=self._display,
        )  # fmt: skip
        relayed = await relay.run(model, {plan.name: plan}, steps)
        harm = relayed.failures()
        for leg in relayed.legs:
            rubric = load.find(leg.step)
            if leg.run is not None and rubric is not None:
                harm += [f"{leg.step}: {told}" for told in self._gates(rubric, leg.run, plan)]
        return {
            "plan": plan.name,
            "model": model.name,
            "steps": len(relayed.legs),
            "runs": [
                leg.run.path.resolve().relative_to(self._layout.root.resolve()).as_posix()
                for leg in relayed.legs
                if leg.run is not None
            ],
            "harm": [] if relayed.stopped else harm,
            "stopped": relayed.stopped,
        }

    async def _relay(self, side: str, tree: Tree, run: Run, steps: Sequence[StepFacts]) -> Relayed:
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
        verdict = judged(
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
        if not new.cells or not stored.cells:
            return []
        return lost_gates(stored.cells[0], new.cells[0], rubric)


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
