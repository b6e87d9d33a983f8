"""What every phase of one iteration works with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from model_gateway.counsel import Counsel
from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from rubrics.rubric import Rubric
from self_improve.iteration.branches import Branches, Side
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.publication import Publisher
from self_improve.iteration.request import IterationRequest
from self_improve.runs.experiment import Experiment, experiment
from self_improve.runs.preparation import RunRequest
from self_improve.runs.progress import Display


@dataclass(frozen=True, kw_only=True)
class IterationContext:
    """The request, the folder that the iteration is kept in, and the services its phases call.

    `base` is the commit that candidates start from. `elsewhere` is what the gateway's ledger has
    counted for other iterations of the same loop.
    """

    request: IterationRequest
    folder: IterationFolder
    base: str
    rubric: Rubric
    gateway: Gateway
    counsel: Counsel
    branches: Branches
    publisher: Publisher
    display: Display
    elsewhere: Spend = field(default_factory=Spend)

    @property
    def layout(self) -> Layout:
        """The data repo."""
        return self.request.layout

    def base_side(self) -> Side:
        """Return the side of the unchanged code."""
        return self.branches.baseline(self.base)

    def code_of(self, side: Side) -> Path:
        """Return the code tree of a side, in its worktree.

        Raises:
            UsageError: the worktree was changed.
        """
        return self.branches.tree(side, self.base).code

    def run_request(self, side: Side, split: str = "train") -> RunRequest:
        """Return the request for the runs of a side."""
        return self.request.run_request(self.code_of(side), number=self.folder.number, split=split)

    def experiment(
        self, sides: Mapping[str, Side], *, split: str = "train"
    ) -> AbstractAsyncContextManager[Experiment]:
        """Return the experiment of some sides, each in its worktree."""
        return experiment({name: self.run_request(side, split) for name, side in sides.items()})

    def runs(self, phase: str) -> dict[str, list[Run]]:
        """Return the runs of each side that the marker of a phase names."""
        runs = (self.folder.result(phase) or {})["runs"]
        return {side: [Run(self.layout.root / name) for name in runs[side]] for side in runs}
