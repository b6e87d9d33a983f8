"""The short way to a cell gives what the runner's way gives."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Never

from model_gateway import entry_files
from model_gateway.gateway import Gateway
from prompt_lab.baselines import Baselines
from prompt_lab.layout import Layout
from self_improve.benchmark.experiments.direct_cells import DirectCells
from self_improve.benchmark.experiments.landscapes import STEP, SURFACE
from self_improve.benchmark.experiments.searches import Bench
from self_improve.runs.preparation import RunRequest, prepared
from self_improve.runs.progress import display
from self_improve.search.host_cells import HostCells
from self_improve.search.trial import Case, CellOutcome, Proposal

SEED = 7


def test_outcomes_equal_those_of_the_runner(bench: Bench, tmp_path: Path) -> None:
    """For the same seed, cell by cell: scores, failures, flaws, inputs and outputs.

    One of the proposals makes the cells of a careless model fail, one of the models often has to
    be asked again.
    """
    catalogue = entry_files.load()
    models = [catalogue.find("sim-flaky"), catalogue.find("sim-terse")]
    plans = sorted(bench.step.plans)[:2]
    texts = bench.step.texts
    changed = {
        "long": bench.prompt.replace("exactly 3", "exactly 4") + "\n`consequences`: 90 words.\n",
        "fails": "Give 5 `levers`. Each has 2 `options`.",
    }
    proposals = [Proposal(id="baseline", texts=texts)]
    proposals += [Proposal(id=n, texts={**texts, SURFACE: text}) for n, text in changed.items()]
    cells = [
        (proposal, Case(plan=plan, model=model.name))
        for proposal in proposals
        for plan in plans
        for model in models
    ]

    async def direct() -> list[CellOutcome]:
        async with Gateway() as gateway:
            return await DirectCells(gateway, bench.step, bench.rubric, models, seed=SEED)(cells)

    async def by_runner() -> list[CellOutcome]:
        request = RunRequest(
            step=STEP, models=tuple(models), catalogue=catalogue, layout=None,
            output=Layout(tmp_path / "out"), seed=SEED,
            plan_dirs=tuple(bench.step.plans[plan] for plan in plans),
        )  # fmt: skip
        async with prepared(request) as work, Gateway() as gateway:
            host_cells = HostCells(
                gateway, work, request, bench.rubric, display(quiet=True), baseline=texts,
                baselines=Baselines(tuple({path.parent for path in bench.step.plans.values()})),
            )  # fmt: skip
            return await host_cells(cells)

    ours = asyncio.run(direct())
    theirs = asyncio.run(by_runner())
    assert ours == theirs
    assert len({outcome.score for outcome in ours}) > len(proposals)
    assert any(outcome.flaws for outcome in ours)


def test_prompts_are_put_back(bench: Bench) -> None:
    """What was exchanged for a search is the step's own again."""
    bench.step.use({SURFACE: "Something else entirely."})
    bench.step.use(bench.step.texts)
    sent: list[str] = []

    def ask(call) -> Never:
        sent.append(call.system)
        raise RuntimeError

    with contextlib.suppress(RuntimeError):
        bench.step.run(min(bench.step.plans), entry_files.load().find("sim"), ask)
    assert sent == [bench.prompt]
