"""Running the same cells on several code trees, side by side and in one random order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from prompt_lab.record import Run
from self_improve.runs.estimate import RunEstimate, estimate
from self_improve.runs.preflight import check_models
from self_improve.runs.preparation import Prepared, RunRequest, prepared
from self_improve.runs.progress import Display
from self_improve.runs.session import RunsOfOneTree, RunState, Session, claimed, state_of
from self_improve.runs.stopping import StoppingRule


@dataclass(frozen=True, kw_only=True)
class ExperimentResult:
    """The runs of each side, in the order of its models; `stopped` says why cells are missing."""

    runs: Mapping[str, tuple[Run, ...]]
    stopped: str | None


class Experiment:
    """Code trees that are ready to run cells, by the names of their sides."""

    def __init__(self, requests: Mapping[str, RunRequest], works: Mapping[str, Prepared]) -> None:
        self.wanted = requests
        self.works = works

    def states(self) -> dict[str, list[RunState]]:
        """Return the runs of each side, those that are there already included."""
        return {
            name: [
                state_of(specification, self.wanted[name].output, new=False)
                for specification in work.specifications
            ]
            for name, work in self.works.items()
        }

    async def expected(self) -> Mapping[str, RunEstimate]:
        """Return what is left to run on each side will probably come to."""
        states = self.states()
        found = await asyncio.gather(
            *(estimate(self.wanted[n], work, states[n]) for n, work in self.works.items())
        )
        return dict(zip(self.works, found, strict=True))

    async def run(
        self, gateway: Gateway, display: Display, until: StoppingRule | None = None
    ) -> ExperimentResult:
        """Run what is left, until it is decided if `until` can say so, and return the runs.

        Raises:
            UsageError: a model has no key or does not answer.
            LabError: another process works on one of the runs.
            OSError: the data repo cannot be written.
        """
        first = next(iter(self.wanted.values()))
        specifications = [s for work in self.works.values() for s in work.specifications]
        with claimed(first, specifications):
            states = self.states()
            left = [s for own in states.values() for s in own if not s.is_finished]
            models = {m.name: m for state in left for m in state.specification.models}
            pinged: Mapping[str, Spend] = await check_models(gateway, models.values())
            sides = [
                RunsOfOneTree(request=self.wanted[name], work=work, states=states[name])
                for name, work in self.works.items()
            ]
            summary = await Session(gateway, display).run(sides, pinged, until)
        return ExperimentResult(
            runs=self.runs(), stopped=summary.cap_reached if summary.tally.budget else None
        )

    def runs(self) -> dict[str, tuple[Run, ...]]:
        """Return the runs that are there."""
        return {
            n: tuple(s.run for s in own if s.run is not None) for n, own in self.states().items()
        }


@asynccontextmanager
async def experiment(requests: Mapping[str, RunRequest]) -> AsyncIterator[Experiment]:
    """Start a zygote in the code tree of every side, all at once.

    Raises:
        UsageError: something does not fit; nothing was run and nothing spent.
        ImproveError: a pipeline cannot be loaded.
    """
    names: Sequence[str] = list(requests)
    async with AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            entering = [
                group.create_task(stack.enter_async_context(prepared(requests[name])))
                for name in names
            ]
        works = {name: task.result() for name, task in zip(names, entering, strict=True)}
        yield Experiment(requests, works)
