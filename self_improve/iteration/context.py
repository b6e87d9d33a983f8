"""What every phase of one iteration works with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from model_gateway.counsel import Counsel
from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from rubrics.rubric import Rubric
from self_improve.iteration.branches import Branched, Branching
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.publication import Publisher
from self_improve.iteration.request import IterationRequest
from self_improve.runs.experiment import Experiment, experiment
from self_improve.runs.progress import Display


@dataclass(frozen=True, kw_only=True)
class IterationContext:
    """What was asked for, where it is kept, and whom the phases call.

    `base` is the commit that candidates start from. `elsewhere` is what the gateway's ledger holds
    of other iterations of the same loop.
    """

    request: IterationRequest
    place: IterationFolder
    base: str
    rubric: Rubric
    gateway: Gateway
    counsel: Counsel
    branching: Branching
    publisher: Publisher
    display: Display
    elsewhere: Spend = field(default_factory=Spend)

    @property
    def layout(self) -> Layout:
        """The data repo."""
        return self.request.layout

    def base_side(self) -> Branched:
        """Return the side of the code as it is."""
        return self.branching.baseline(self.base)

    def experiment(
        self, sides: Mapping[str, Branched], *, split: str = "train"
    ) -> AbstractAsyncContextManager[Experiment]:
        """Return the experiment of some sides, each in its worktree."""
        wanted = {
            name: self.request.wanted(
                self.branching.tree(side, self.base).code, number=self.place.number, split=split
            )
            for name, side in sides.items()
        }
        return experiment(wanted)

    def runs(self, phase: str) -> dict[str, list[Run]]:
        """Return the runs of each side that the marker of a phase names."""
        names = (self.place.result(phase) or {})["runs"]
        return {side: [Run(self.layout.root / name) for name in own] for side, own in names.items()}
