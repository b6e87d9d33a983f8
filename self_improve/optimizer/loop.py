"""A loop over iterations: each starts from the best so far, and all share one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.errors import BudgetReached
from model_gateway.exits import say
from prompt_lab.claim import claim
from prompt_lab.layout import Layout
from prompt_lab.repository import Repository
from rubrics import load
from self_improve.comparison.sides import measurer_for
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline
from self_improve.iteration import folder as places
from self_improve.iteration.branches import Branching
from self_improve.iteration.iterate import keep
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.request import IterationRequest, runner_seed
from self_improve.iteration.start import Bench, carry_out, forge_of, gateway_of, spent_on
from self_improve.measures.fitness import ENOUGH, mean
from self_improve.optimizer import rounds as report
from self_improve.optimizer import whole_plans
from self_improve.optimizer.rounds import Round, StepEnd, latest_kept, plateau, rounds_of
from self_improve.optimizer.snapshots import Snapshots, known_steps, need_of
from self_improve.runs.experiment import experiment
from self_improve.runs.preparation import RunRequest
from self_improve.runs.progress import display
from self_improve.verdict import noise as calibration


@dataclass(frozen=True, kw_only=True)
class LoopLimits:
    """When a step's iterations end; none of it makes another loop of a loop.

    `iterations` bounds those of one step, None does not. After so many steps as `full_plan_every`
    says, and after the last one, a whole plan is compared; 0 is never.
    """

    patience: int
    iterations: int | None
    force: bool = False
    full_plan_every: int = 0


async def run(
    request: IterationRequest, steps: Sequence[str], limits: LoopLimits, *, new: bool = False
) -> Path:
    """Run a loop, or go on with the one that was begun; return the page that tells of it.

    `wish` says how an iteration is made; its sources of candidates are those of the first one, and
    later ones are proposed from the best so far. `steps` may stand in any order.

    Raises:
        UsageError: something does not fit.
        BudgetReached: a cap was reached; the same command with a higher one goes on.
    """
    for step in steps:
        rubric_of(step)
    forge = forge_of(request)
    branching = Branching(request.layout, request.code, forge)
    loop = named(request, steps, branching.base(request.base), new=new)
    with claim(request.layout, f"loop-{loop['name']}"):
        own = [one.place for one in rounds_of(request.layout, loop["name"])]
        spent = spent_on(request.layout, own, seeds=[look_seed(loop)])
        spent += whole_plans.spent_on(request.layout, loop["name"])
        async with gateway_of(request, spent) as gateway:
            bench = Bench(gateway=gateway, forge=forge, branching=branching)
            return await Loop(request, loop, limits, bench).run(steps)


def named(
    request: IterationRequest, steps: Sequence[str], base: str, *, new: bool
) -> dict[str, Any]:
    """Return what the orders of a loop's iterations say of it: the latest one like it, or a new.

    What may be changed between two sessions (limits, caps) is no part of what it is.
    """
    order = replace(request, step="", loop=None, start=None, plans=None, force=False).order("")
    digest = digest_of({**order, "steps": sorted(steps)})
    like = [
        place.order["loop"]
        for place in places.places(request.layout)
        if place.order.get("loop", {}).get("digest") == digest
    ]
    number = max((loop["number"] for loop in like), default=-1)
    if like and not new:
        start = next(loop["start"] for loop in like if loop["number"] == number)
        return _named(digest, number, start)
    return _named(digest, number + 1, base)


def _named(digest: str, number: int, start: str) -> dict[str, Any]:
    return {"name": f"{digest[:10]}-{number}", "digest": digest, "number": number, "start": start}


def look_seed(loop: dict[str, Any]) -> int:
    """Return the seed of the runs by which a loop looks what there is to gain; no other has it."""
    return int(digest_of({"loop": loop["name"]})[:7], 16)


class Loop:
    """The iterations of one loop; all it knows lies in the data repo."""

    def __init__(
        self, request: IterationRequest, loop: dict[str, Any], limits: LoopLimits, bench: Bench
    ) -> None:
        self._wish = request
        self._loop = loop
        self._limits = limits
        self._bench = bench
        self._display = display(quiet=False)
        self._layout: Layout = request.layout
        self._snapshots = Snapshots(request.layout, loop["name"], bench.gateway, self._display)

    async def run(self, steps: Sequence[str]) -> Path:
        """Go through the steps in the order of the pipeline, and tell how each ended."""
        pipeline = await self._pipeline(steps[0])
        ends: list[StepEnd] = []
        every, in_order = self._limits.full_plan_every, known_steps(pipeline, steps)
        for step in in_order:
            reason = await self._step(step, pipeline, is_first=not ends)
            ends.append(StepEnd(step=step, reason=reason, rounds=tuple(self._rounds(step))))
            say(f"{step}: {reason}")
            if every and len(ends) % every == 0 and len(ends) < len(in_order):
                await self._whole_plan()
        page = self._page(ends)
        if every:
            # After the page, which is then there even if a cap leaves no room for a whole plan.
            await self._whole_plan()
            self._page(ends)
        say(report.table(ends))
        return page

    async def _whole_plan(self) -> None:
        rounds = rounds_of(self._layout, self._loop["name"])
        await whole_plans.compare(
            self._wish, self._loop, rounds, self._bench.gateway, self._display, say
        )

    def _page(self, ends: Sequence[StepEnd]) -> Path:
        name = self._loop["name"]
        page = report.write(self._layout, name, ends, whole_plans.compared(self._layout, name))
        self._commit([page], "ended")
        return page

    async def _step(self, step: str, pipeline: Pipeline, *, is_first: bool) -> str:
        """Improve one step until its end, and return why it ended."""
        plans = await self._plans(step, pipeline)
        if not self._limits.force and not self._rounds(step):
            fitness = await self._look(step, plans)
            if fitness is not None and fitness >= ENOUGH:
                return (
                    f"next to nothing to gain, for the baseline's fitness is {fitness:.3f} of 1; "
                    "--force searches all the same"
                )
        for last in self._rounds(step)[-1:]:
            if last.finished:
                # A loop may have been killed after this and before it was committed.
                keep(self._wish, last.place, places.LAST_PHASE)
        while (reason := self._over(step)) is None:
            rounds = self._rounds(step)
            unfinished = next((one for one in rounds if not one.finished), None)
            index = len(rounds) - (unfinished is not None)
            request = self._next(step, index, plans, is_first=is_first and not index)
            base = request.start or self._loop["start"]
            if unfinished is not None:
                request, base = self._again(request, unfinished), unfinished.base
            place = (
                unfinished.place
                if unfinished is not None
                else places.begin(self._layout, step, request.order(base))
            )
            say(f"{step}: iteration {index + 1} of the loop, from {base[:12]}: {place.id}")
            with places.held(place):
                await carry_out(request, place, base, self._bench)
        return reason

    def _over(self, step: str) -> str | None:
        """Say why a step has ended, or return None."""
        finished = [one for one in self._rounds(step) if one.finished]
        most, rubric = self._limits.iterations, rubric_of(step)
        noise = calibration.find(rubric, load.FOLDER)
        level = plateau(finished, self._limits.patience, rubric, noise)
        if level is not None:
            return level
        if most is not None and len(finished) >= most:
            return f"{most} iterations were asked for" if most > 1 else "one was asked for"
        return None

    def _next(
        self, step: str, index: int, plans: Path | None, *, is_first: bool
    ) -> IterationRequest:
        """Return the settings of a step's next iteration: from the best so far, another seed."""
        best = latest_kept(rounds_of(self._layout, self._loop["name"]))
        request = replace(
            self._wish, step=step, plans=plans, seed=self._wish.seed + index,
            start=best.commit if best is not None else self._loop["start"],
            loop={**self._loop, "stands_on": best.named if best is not None else None},
        )  # fmt: skip
        if is_first or self._wish.from_synthesis:
            return request
        return replace(
            request, prompts=(), branch=None, pull_request=None, expectations=(), rationale="",
            candidates=max(1, self._wish.candidates),
        )  # fmt: skip

    def _again(self, request: IterationRequest, unfinished: Round) -> IterationRequest:
        """Return the settings with which an iteration was begun."""
        order = unfinished.place.order
        plans = order.get("plans")
        return replace(
            request, seed=order["seed"], start=order["base"], loop=order["loop"],
            plans=self._layout.root / plans if plans is not None else None,
        )  # fmt: skip

    def _rounds(self, step: str) -> list[Round]:
        return [one for one in rounds_of(self._layout, self._loop["name"]) if one.step == step]

    # What is run besides the iterations.

    async def _pipeline(self, step: str) -> Pipeline:
        async with experiment({"best": self._wanted(step, None)}) as trial:
            return trial.works["best"].pipeline

    async def _look(self, step: str, plans: Path | None) -> float | None:
        """Return the mean fitness of the step as it is, over models and train plans.

        Raises:
            BudgetReached: a cap was reached.
        """
        rubric = rubric_of(step)
        async with experiment({"best": self._wanted(step, plans)}) as trial:
            ran = await trial.run(self._bench.gateway, self._display)
        if ran.stopped is not None:
            raise BudgetReached(ran.stopped)
        with measurer_for(rubric, lab=self._layout) as measurer:
            cells = [c for run in ran.runs["best"] for c in measurer.run(run.path).cells]
        self._commit([self._layout.history], f"look at {step}")
        return mean(cells, rubric)

    async def _plans(self, step: str, pipeline: Pipeline) -> Path | None:
        """Return the directory of the plans to improve a step on; None is the baseline.

        Raises:
            BudgetReached: a cap was reached.
        """
        rounds = rounds_of(self._layout, self._loop["name"])
        need = need_of(pipeline, step, rounds)
        if need is None:
            return None
        target = self._snapshots.place(need)
        if not target.is_dir():
            last = list(need.improved.values())[-1]
            seed = runner_seed(last.place.order["seed"], last.place.number)
            async with AsyncExitStack() as stack:
                wanted = replace(self._wanted(last.step, None), seed=seed)
                trial = await stack.enter_async_context(experiment({"best": wanted}))
                target, stopped = await self._snapshots.make(
                    need, trial.works["best"], wanted, self._wish.models[0]
                )
            if stopped is not None:
                raise BudgetReached(stopped)
            self._commit([target, self._layout.history], f"snapshot for {step}")
        say(f"{step}: on the outputs of {', '.join(need.improved)}, in {target}")
        return target

    def _wanted(self, step: str, plans: Path | None) -> RunRequest:
        """Return what the runner is asked for on the best code so far."""
        best = latest_kept(rounds_of(self._layout, self._loop["name"]))
        commit = best.commit if best is not None else self._loop["start"]
        branching = self._bench.branching
        tree = branching.tree(branching.baseline(commit), commit)
        request = replace(self._wish, step=step, plans=plans)
        return replace(request.wanted(tree.code, number=-1), seed=look_seed(self._loop))

    def _commit(self, paths: Sequence[Path], told: str) -> None:
        secrets = [*self._wish.catalogue.key_variables, "GITHUB_TOKEN"]
        Repository(self._layout, secrets=secrets).commit(
            paths, f"loop {self._loop['name']}: {told}"
        )


def checked(steps: Sequence[str], stage: int) -> list[str]:
    """Return the steps of a stage.

    Raises:
        UsageError: there are none, or too many for the stage.
    """
    if not steps and stage > 2:
        return load.names()
    if not steps:
        raise UsageError("Which step? Say --steps STEP; `plumbline steps` lists them all.")
    if len(steps) > 1 and stage < 3:
        raise UsageError(f"Stage {stage} improves one step, not {len(steps)}. Say --stages 3.")
    return list(dict.fromkeys(steps))
