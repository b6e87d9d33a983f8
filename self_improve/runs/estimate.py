"""What a command will cost, measured by running each plan once on the simulated model."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from model_gateway import temporary
from model_gateway.attempt import Attempt
from model_gateway.config import Model
from model_gateway.counts import counted
from model_gateway.gateway import Gateway
from model_gateway.journal import NoJournal
from prompt_lab import record
from prompt_lab.layout import Layout
from self_improve.cells.fork_server import ForkServer
from self_improve.runs.jobs import Arm, Job
from self_improve.runs.matrix import Matrix
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Counts
from self_improve.runs.run_state import RunState
from self_improve.runs.specification import RunSpecification

PROBE_MODEL = "sim-strong"
PROBE_SECONDS = 60.0
"""The time limit of a cell that only probes."""
_SIDE_BY_SIDE = 16
_BYTES_A_TOKEN = 4

AttemptsByPlan = dict[tuple[str, str], list[Attempt]]
"""The attempts of a probe, by step and plan."""


@dataclass(frozen=True, kw_only=True)
class RunEstimate:
    """The expected calls, tokens and US dollars; dollars are None where a price is unknown.

    `silent` are plans on which the simulated model was asked nothing although the step calls one:
    what their cells cost is unknown. `too_small` says of models whose context does not hold a
    plan's prompt.
    `by_run` has the dollars of each run by the digest of its specification.
    """

    cells: int
    calls: int
    input_tokens: int
    output_tokens: int
    dollars: float | None
    silent: tuple[str, ...] = ()
    too_small: tuple[str, ...] = ()
    by_run: Mapping[str, float] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values, without the single runs."""
        return {name: value for name, value in vars(self).items() if name != "by_run"}

    def text(self) -> str:
        """Return the estimate as a line for people, and a line for each context that is small."""
        cost = "at an unknown price" if self.dollars is None else f"about ${self.dollars:.4f}"
        about = "at least" if self.silent else "about"
        line = (
            f"{counted(self.cells, 'cell')}, {about} {counted(self.calls, 'call')}, "
            f"{self.input_tokens} tokens in and {self.output_tokens} out, {cost} "
            "(estimate from the simulated model, without retries)"
        )
        if self.silent:
            line += f"; nothing was asked on {', '.join(self.silent)}, so more is unknown"
        return "\n".join([line, *self.too_small])


async def estimate(request: RunRequest, work: Prepared, states: Sequence[RunState]) -> RunEstimate:
    """Return the probable cost of the remaining cells of `states`.

    The simulated model gets the real inputs, so the sizes of the requests are right; the number of
    calls and the lengths of the replies are typical ones.
    """
    todo = [(state, plan) for state in states if not state.is_finished for plan, _ in state.jobs()]
    first = work.specifications[0]
    names = sorted({plan for _, plan in todo})
    probed = replace(first, inputs={name: first.inputs[name] for name in names})
    model, over_http = request.catalogue.find(PROBE_MODEL), work.host.uses_gateway_url
    seconds = min(PROBE_SECONDS, request.seconds)
    attempts_of = (
        await probe(work.server, model, [probed], over_http=over_http, seconds=seconds)
        if names
        else {}
    )
    silent = [n for n in names if not attempts_of.get((work.step.name, n))]
    total = RunEstimate(
        cells=len(todo), calls=0, input_tokens=0, output_tokens=0,
        dollars=None if silent and work.step.calls_model else 0.0,
        silent=tuple(silent) if work.step.calls_model else (),
        too_small=tuple(_too_small(states, work.step.name, attempts_of)),
    )  # fmt: skip
    by_run: defaultdict[str, float] = defaultdict(float)
    for state, plan in todo:
        attempts = attempts_of.get((work.step.name, plan), [])
        tokens_in = sum(a.input_tokens or 0 for a in attempts)
        tokens_out = sum(a.output_tokens or 0 for a in attempts)
        cost = _cost(state.specification.model, tokens_in, tokens_out)
        if cost is not None:
            by_run[state.specification.digest] += cost
        total = replace(
            total,
            calls=total.calls + len(attempts),
            input_tokens=total.input_tokens + tokens_in,
            output_tokens=total.output_tokens + tokens_out,
            dollars=None if cost is None or total.dollars is None else total.dollars + cost,
        )
    return replace(total, by_run=dict(by_run))


def _too_small(states: Sequence[RunState], step: str, attempts_of: AttemptsByPlan) -> Iterator[str]:
    """Yield a line for each model whose context, as its entry states it, is too small."""
    sizes = {
        plan: max(map(_tokens_of, attempts), default=0)
        for (name, plan), attempts in attempts_of.items()
        if name == step
    }
    models = {model.name: model for state in states for model in state.specification.models}
    for model in models.values():
        context = model.context
        beyond = [plan for plan, size in sizes.items() if context is not None and size > context]
        if beyond:
            largest = max(beyond, key=lambda plan: sizes[plan])
            yield (
                f"{model.name}: its context of {context} tokens is too small for the prompt on "
                f"{', '.join(sorted(beyond))} (about {sizes[largest]} tokens on {largest}): these "
                "cells will be lost"
            )


def _tokens_of(attempt: Attempt) -> int:
    return sum(len(m["content"].encode()) for m in attempt.messages) // _BYTES_A_TOKEN


def _cost(model: Model, tokens_in: int, tokens_out: int) -> float | None:
    thinking = min(model.thinking_tokens, tokens_out)  # A guess: as many as the reply has.
    return model.cost(tokens_in, tokens_out + thinking)


async def probe(
    server: ForkServer,
    model: Model,
    specifications: Sequence[RunSpecification],
    *,
    over_http: bool,
    seconds: float = PROBE_SECONDS,
) -> AttemptsByPlan:
    """Run each specification's step once on each of its plans, with `model` in place of its own.

    Returns:
        The attempts, by step and plan; failed cells have those they made.
    """
    collector = _Collector()
    jobs = []
    with (
        temporary.opened("probe") as folder,
        contextlib.ExitStack() as stack,
    ):
        layout = Layout(folder)
        for original in specifications:
            specification = replace(original, models=(model,), repeats=1)
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
    return collector.attempts


class _Collector(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.attempts: AttemptsByPlan = {}

    def attempted(self, job: Job, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        key = (job.arm.specification.step.name, job.plan)
        self.attempts.setdefault(key, []).append(attempt)
