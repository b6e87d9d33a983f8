"""Running cells on the simulated model without a record: to see what a step would send."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model_gateway.attempt import Attempt
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.journal import NoJournal
from prompt_lab import record
from prompt_lab.layout import Layout
from self_improve.fork_server import ForkServer
from self_improve.matrix import Arm, Job, Matrix
from self_improve.progress import Counts
from self_improve.specification import RunSpecification

MODEL = "sim-strong"
SECONDS = 60.0
_SIDE_BY_SIDE = 16

Seen = dict[tuple[str, str], list[Attempt]]
"""The attempts of each step and plan."""


class _Collector(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.seen: Seen = {}

    def attempted(self, job: Job, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        self.seen.setdefault((job.arm.specification.step.name, job.plan), []).append(attempt)


async def probe(
    server: ForkServer,
    model: Model,
    specifications: Sequence[RunSpecification],
    *,
    over_http: bool,
    seconds: float = SECONDS,
) -> Seen:
    """Run each specification's step once on each of its plans, with `model` in place of its own.

    Returns:
        The attempts, by step and plan; a cell that failed has those it made.
    """
    collector = _Collector()
    jobs = []
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-probe-") as folder,
        contextlib.ExitStack() as stack,
    ):
        layout = Layout(Path(folder))
        for given in specifications:
            specification = replace(given, models=(model,), repeats=1)
            step = specification.step.name
            writer = record.begin(layout, step, specification.digest, {})
            stack.enter_context(contextlib.closing(writer))
            arm = Arm(
                specification=specification,
                writer=writer,
                journal=NoJournal(),
                server=server,
                scratch=layout.scratch / step,
                over_http=over_http,
            )
            jobs += [Job(arm=arm, plan=name, repeat=0) for name in specification.inputs]
        async with Gateway() as gateway:
            matrix = Matrix(gateway, collector, seconds=seconds, workers=_SIDE_BY_SIDE, seed=0)
            await matrix.run(jobs)
    return collector.seen
