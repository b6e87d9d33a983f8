"""A loop of iterations: each starts from the best so far, and all share one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.errors import BudgetReached
from model_gateway.exits import say
from model_gateway.invocation import typed
from prompt_lab.claim import claim
from prompt_lab.layout import Layout
from prompt_lab.repository import Repository
from rubrics import load
from self_improve.comparison.sides import measurer_for
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline
from self_improve.iteration.branches import Branches
from self_improve.iteration.folder import LAST_PHASE, IterationFolder
from self_improve.iteration.iterate import commit
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.proposing import propose
from self_improve.iteration.readiness import require_ready
from self_improve.iteration.request import IterationRequest, runner_seed
from self_improve.iteration.start import Services, carry_out, forge_of, gateway_of, spent_on
from self_improve.measures.fitness import ENOUGH, mean
from self_improve.optimizer import rounds, whole_plans
from self_improve.optimizer.rounds import Round, StepEnd
from self_improve.optimizer.snapshots import Snapshots, known_steps, need_of
from self_improve.runs.experiment import experiment
from self_improve.runs.preparation import RunRequest
from self_improve.runs.progress import display
from self_improve.verdict import noise

_BEST = "best"


@dataclass(frozen=True, kw_only=True)
class LoopLimits:
    """When a step's iterations end; limits are not part of a loop's identity.

    `iterations` bounds those of one step; None is unbounded. A whole plan is compared after every
    `full_plan_every` steps and after the last one; 0 is never.
    """

    patience: int
    iterations: int | None
    force: bool = False
    full_plan_every: int = 0


async def run(
    request: IterationRequest, steps: Sequence[str], limits: LoopLimits, *, new: bool = False
) -> Path:
    """Run a loop, or resume the one that was begun; return the path of its page.

    `request` describes the iterations; its sources of candidates are those of the first one, and
    later candidates are proposed from the best so far. `steps` may be in any order.

    Raises:
        UsageError: something does not fit.
        BudgetReached: a cap was reached; the same command with a higher one resumes.
    """
    for step in steps:
        rubric_of(step)
        require_ready(replace(request, run=replace(request.run, step=step)))
    forge = forge_of(request)
    branches = Branches(request.layout, request.code, forge, redactor=request.run.redactor)
    loop = identity_of(request, steps, branches.base(request.base), new=new)
    name = loop["name"]
    with claim(request.layout, f"loop-{name}"):
        folders = [one.folder for one in rounds.rounds_of(request.layout, name)]
        spent = spent_on(request.layout, folders, seeds=[baseline_seed(name)])
        spent += whole_plans.spent_on(request.layout, name)
        async with gateway_of(request, spent) as gateway:
            services = Services(gateway=gateway, forge=forge, branches=branches)
            return await Loop(request, loop, limits, services).run(steps)


def identity_of(
    request: IterationRequest, steps: Sequence[str], base: str, *, new: bool
) -> dict[str, Any]:
    """Return how the identities of its iterations describe a loop: the latest such one, or a new.

    What may change between two sessions (limits, caps) is not part of it.
    """
    any_step = replace(request.run, step="", baseline_dir=None)
    identity = replace(request, run=any_step, loop=None, start=None, force=False).identity("")
    digest = digest_of({**identity, "steps": sorted(steps)})
    loops = [folder.identity.get("loop", {}) for folder in IterationFolder.all(request.layout)]
    same = [loop for loop in loops if loop.get("digest") == digest]
    number, start = max((loop["number"] for loop in same), default=-1), base
    if same and not new:
        start = next(loop["start"] for loop in same if loop["number"] == number)
    else:
        number += 1
    return {"name": f"{digest[:10]}-{number}", "digest": digest, "number": number, "start": start}


def baseline_seed(loop: str) -> int:
    """Return the seed of the runs that measure what can be gained; no other runs have it."""
    return int(digest_of({"loop": loop})[:7], 16)


class Loop:
    """The iterations of one loop; its whole state is in the data repo."""

    def __init__(
        self,
        request: IterationRequest,
        loop: dict[str, Any],
        limits: LoopLimits,
        services: Services,
    ) -> None:
        self._request = request
        self._loop = loop
        self._name: str = loop["name"]
        self._limits = limits
        self._services = services
        self._display = display(quiet=False)
        self._layout: Layout = request.layout
        self._snapshots = Snapshots(request.layout, self._name, services.gateway, self._display)

    async def run(self, steps: Sequence[str]) -> Path:
        """Improve the steps in the order of the pipeline, and write the page of the loop."""
        pipeline = await self._pipeline(steps[0])
        ends: list[StepEnd] = []
        every, in_order = self._limits.full_plan_every, known_steps(pipeline, steps)
        for step in in_order:
            reason = await self._step(step, pipeline, is_first=not ends)
            ends.append(StepEnd(step=step, reason=reason, rounds=tuple(self._rounds_of(step))))
            say(f"{step}: {reason}")
            if every and len(ends) % every == 0 and len(ends) < len(in_order):
                await self._whole_plan()
        page = self._page(ends)
        if every:
            # After the page, so that a cap that leaves no room for a whole plan leaves the page.
            await self._whole_plan()
            self._page(ends)
        say(rounds.table(ends))
        return page

    async def _whole_plan(self) -> None:
        await whole_plans.compare(
            self._request, self._loop, self._rounds(), self._services.gateway, self._display, say
        )

    def _page(self, ends: Sequence[StepEnd]) -> Path:
        compared = whole_plans.compared(self._layout, self._name)
        page = rounds.write(self._layout, self._name, ends, compared)
        self._commit([page], "ended")
        return page

    async def _step(self, step: str, pipeline: Pipeline, *, is_first: bool) -> str:
        """Improve one step until its end, and return why it ended."""
        plans = await self._plans(step, pipeline)
        if not self._limits.force and not self._rounds_of(step):
            fitness = await self._baseline_fitness(step, plans)
            if fitness is not None and fitness >= ENOUGH:
                return (
                    f"almost nothing can be gained: the baseline's fitness is {fitness:.3f} of 1; "
                    "--force searches anyway"
                )
        for last in self._rounds_of(step)[-1:]:
            if last.finished:
                # A loop may have been killed after this and before it was committed.
                commit(self._request, last.folder, LAST_PHASE)
        while (reason := self._reason_to_end(step)) is None:
            begun = self._rounds_of(step)
            unfinished = next((one for one in begun if not one.finished), None)
            index = len(begun) - (unfinished is not None)
            request = self._next(step, index, plans, is_first=is_first and not index)
            if unfinished is None:
                base = request.start or self._loop["start"]
                await propose.require_candidates(request, self._services.branches, base)
                folder = IterationFolder.begin(self._layout, step, request.identity(base))
            else:
                request, base = self._again(request, unfinished), unfinished.base
                folder = unfinished.folder
            say(f"{step}: iteration {index + 1} of the loop, from {base[:12]}: {folder.id}")
            with folder.lock():
                await carry_out(request, folder, base, self._services)
        return reason

    def _reason_to_end(self, step: str) -> str | None:
        """Return why a step has ended, or None if it has not."""
        finished = [one for one in self._rounds_of(step) if one.finished]
        most, rubric = self._limits.iterations, rubric_of(step)
        calibration = noise.find(rubric, load.FOLDER, self._layout)
        plateau = rounds.plateau(finished, self._limits.patience, rubric, calibration)
        if plateau is not None:
            return plateau
        if most is not None and len(finished) >= most:
            return f"{most} iterations were asked for" if most > 1 else "one was asked for"
        return None

    def _next(
        self, step: str, index: int, plans: Path | None, *, is_first: bool
    ) -> IterationRequest:
        """Return the settings of a step's next iteration: from the best so far, another seed."""
        best = rounds.latest_kept(self._rounds())
        run = self._request.run
        request = replace(
            self._request, run=replace(run, step=step, baseline_dir=plans, seed=run.seed + index),
            start=best.commit if best is not None else self._loop["start"],
            loop={**self._loop, "stands_on": best.label if best is not None else None},
        )  # fmt: skip
        if is_first or self._request.from_synthesis:
            return request
        return replace(
            request, prompts=(), branch=None, pull_request=None, expectations=(), rationale="",
            candidates=max(1, self._request.candidates),
        )  # fmt: skip

    def _again(self, request: IterationRequest, unfinished: Round) -> IterationRequest:
        """Return the settings with which an iteration was begun."""
        identity = unfinished.folder.identity
        plans = identity.get("plans")
        folder = self._layout.root / plans if plans is not None else None
        return replace(
            request, run=replace(request.run, seed=identity["seed"], baseline_dir=folder),
            start=identity["base"], loop=identity["loop"],
        )  # fmt: skip

    def _rounds(self) -> list[Round]:
        return rounds.rounds_of(self._layout, self._name)

    def _rounds_of(self, step: str) -> list[Round]:
        return [one for one in self._rounds() if one.step == step]

    # Runs beside the iterations.

    async def _pipeline(self, step: str) -> Pipeline:
        async with experiment({_BEST: self._run_request(step, None)}) as cells:
            return cells.works[_BEST].pipeline

    async def _baseline_fitness(self, step: str, plans: Path | None) -> float | None:
        """Return the mean fitness of the step as it is, over models and train plans.

        Raises:
            BudgetReached: a cap was reached.
        """
        rubric = rubric_of(step)
        async with experiment({_BEST: self._run_request(step, plans)}) as baseline:
            result = await baseline.run(self._services.gateway, self._display)
        if result.stopped is not None:
            raise BudgetReached(result.stopped)
        with measurer_for(rubric, lab=self._layout) as measurer:
            cells = [cell for run in result.runs[_BEST] for cell in measurer.run(run.path).cells]
        self._commit([self._layout.history], f"look at {step}")
        return mean(cells, rubric)

    async def _plans(self, step: str, pipeline: Pipeline) -> Path | None:
        """Return the directory of the plans to improve a step on; None is the baseline.

        Raises:
            BudgetReached: a cap was reached.
        """
        need = need_of(pipeline, step, self._rounds())
        if need is None:
            return None
        target = self._snapshots.path(need)
        if not target.is_dir():
            last = list(need.improved.values())[-1]
            seed = runner_seed(last.folder.identity["seed"], last.folder.number)
            request = replace(self._run_request(last.step, None), seed=seed)
            async with experiment({_BEST: request}) as cells:
                target, stopped = await self._snapshots.make(
                    need, cells.works[_BEST], request, self._request.run.models[0]
                )
            if stopped is not None:
                raise BudgetReached(stopped)
            self._commit([target, self._layout.history], f"snapshot for {step}")
        say(f"{step}: on the outputs of {', '.join(need.improved)}, in {target}")
        return target

    def _run_request(self, step: str, plans: Path | None) -> RunRequest:
        """Return the request for runs on the best code so far."""
        best = rounds.latest_kept(self._rounds())
        base = best.commit if best is not None else self._loop["start"]
        branches = self._services.branches
        return replace(
            self._request.run, step=step, baseline_dir=plans, seed=baseline_seed(self._name),
            code=branches.tree(branches.baseline(base), base).code,
        )  # fmt: skip

    def _commit(self, paths: Sequence[Path], event: str) -> None:
        repository = Repository(self._layout, redactor=self._request.run.redactor)
        repository.commit(paths, f"loop {self._name}: {event}")


def checked(steps: Sequence[str], stage: int) -> list[str]:
    """Return the steps of a stage.

    Raises:
        UsageError: there are none, or too many for the stage.
    """
    if not steps and stage > 2:
        return load.names()
    if not steps:
        raise UsageError(f"Which step? Say --steps STEP; `{typed('steps')}` lists them all.")
    if len(steps) > 1 and stage < 3:
        raise UsageError(f"Stage {stage} improves one step, not {len(steps)}. Say --stages 3.")
    return list(dict.fromkeys(steps))
