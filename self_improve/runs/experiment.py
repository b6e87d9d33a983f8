"""Runs the same cells on several code trees, side by side and in one random order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from model_gateway.gateway import Gateway
from model_gateway.preflight import check_models
from prompt_lab.record import Run
from self_improve.runs.estimate import RunEstimate, estimate
from self_improve.runs.pings import ping_journal
from self_improve.runs.preparation import Prepared, RunRequest, prepared
from self_improve.runs.progress import Display
from self_improve.runs.run_state import RunState, state_of
from self_improve.runs.session import RunsOfOneTree, Session, claimed
from self_improve.runs.stopping import StoppingRule


@dataclass(frozen=True, kw_only=True)
class ExperimentResult:
    """The runs of each side, in the order of its models; `stopped` is the cap that ended them."""

    runs: Mapping[str, tuple[Run, ...]]
    stopped: str | None


class Experiment:
    """Code trees that are ready to run cells, by the names of their sides."""

    def __init__(self, requests: Mapping[str, RunRequest], works: Mapping[str, Prepared]) -> None:
        self.requests = requests
        self.works = works
        self._expected: Mapping[str, RunEstimate] = {}

    def states(self) -> dict[str, list[RunState]]:
        """Return the state of each side's runs, existing ones included."""
        return {
            name: [
                state_of(
                    specification,
                    self.requests[name].output,
                    new=False,
                    accepts=self.requests[name].accept_failures,
                )
                for specification in work.specifications
            ]
            for name, work in self.works.items()
        }

    async def expected(self) -> Mapping[str, RunEstimate]:
        """Return the probable cost of the remaining cells of each side."""
        states = self.states()
        estimates = await asyncio.gather(
            *(estimate(self.requests[n], work, states[n]) for n, work in self.works.items())
        )
        self._expected = dict(zip(self.works, estimates, strict=True))
        return self._expected

    async def run(
        self, gateway: Gateway, display: Display, until: StoppingRule | None = None
    ) -> ExperimentResult:
        """Run the remaining cells, or fewer if `until` decides earlier, and return the runs.

        Raises:
            UsageError: a model has no key or does not answer.
            LabError: another process works on one of the runs.
            CellsOpen: cells stayed open; the same call tries them again.
            OSError: the data repo cannot be written.
        """
        first = next(iter(self.requests.values()))
        specifications = [s for work in self.works.values() for s in work.specifications]
        with claimed(first, specifications):
            states = self.states()
            left = [s for side in states.values() for s in side if not s.is_finished]
            chains = [state.specification.models for state in left if state.jobs()]
            pings = ping_journal(first.output, specifications)
            await check_models(gateway, chains, pings)
            sides = [
                RunsOfOneTree(
                    request=self.requests[name],
                    work=work,
                    states=states[name],
                    expected=self._expected[name].by_run if name in self._expected else {},
                )
                for name, work in self.works.items()
            ]
            summary = await Session(gateway, display).run(sides, pings, until)
        if summary.stopped is None:
            summary.open_cells.refuse()
        return ExperimentResult(runs=self.runs(), stopped=summary.stopped)

    def runs(self) -> dict[str, tuple[Run, ...]]:
        """Return the existing runs."""
        return {
            n: tuple(s.run for s in side if s.run is not None) for n, side in self.states().items()
        }


@asynccontextmanager
async def experiment(requests: Mapping[str, RunRequest]) -> AsyncIterator[Experiment]:
    """Start a zygote in the code tree of every side, all at once.

    Raises:
        UsageError: something does not fit; nothing was run or spent.
        ImproveError: a pipeline cannot be loaded.
    """
    async with AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(stack.enter_async_context(prepared(request)))
                for name, request in requests.items()
            }
        yield Experiment(requests, {name: task.result() for name, task in tasks.items()})
