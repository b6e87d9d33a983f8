"""A step is one Luigi task that says what it reads, what it writes and how."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import Any

import luigi

from model_gateway import kernel
from model_gateway.beside import door_for
from model_gateway.call import Ask, Call, R, Reply
from worker_plan.artifact import Artifact, Input
from worker_plan.errors import StepError
from worker_plan.plan_record import not_complete

Written = tuple[Artifact[Any], Any]
"""An artifact and the value to write into it."""


class Detail(Enum):
    """How much work a plan is worth; the same words as on the command line."""

    ALL_DETAILS_BUT_SLOW = "ALL_DETAILS_BUT_SLOW"
    FAST_BUT_SKIP_DETAILS = "FAST_BUT_SKIP_DETAILS"
    PING_LLM = "PING_LLM"


class Step(luigi.Task):
    """One step of the pipeline, declared once, in one file.

    What it writes are its class attributes made with `artifact.text` or `artifact.data`; what it
    reads are attributes such as `plan = Setup.plan.input`. Reading such an attribute is the only
    way to read, so the declaration cannot lie, and which steps come before this one follows
    from it. `models` are names from `llm_config/`: the first is used, the others are fallbacks.
    """

    run_dir = luigi.StrParameter(description="The plan's directory.")
    models = luigi.ListParameter(default=(), description="Names of models; fallbacks follow.")
    detail = luigi.EnumParameter(
        enum=Detail, default=Detail.ALL_DETAILS_BUT_SLOW, description="How much work to do."
    )

    @classmethod
    def reads(cls) -> list[Artifact[Any]]:
        """Return the artifacts that this step reads, in the order of their declaration."""
        return [declared.artifact for declared in _declared(cls, Input)]

    @classmethod
    def writes(cls) -> list[Artifact[Any]]:
        """Return the artifacts that this step writes, the cleaned form last."""
        return _declared(cls, Artifact)

    def requires(self) -> list[luigi.Task]:
        """Return the steps that own what this one reads."""
        owners = dict.fromkeys(artifact.owner for artifact in self.reads())
        return [self.clone(owner) for owner in owners]  # type: ignore[no-untyped-call]

    def input(self) -> dict[str, luigi.LocalTarget]:
        """Return just the artifacts that this step reads, not all that its upstream steps write."""
        return {a.name: self._target(a) for a in self.reads()}

    def output(self) -> dict[str, luigi.LocalTarget]:
        """Return the artifacts that this step writes; the last of them lists the per-item ones."""
        return {a.name: self._target(a) for a in self.writes() if not a.per_item}

    def run(self) -> None:
        """Do the step's work, unless it is done already.

        Raises:
            PlanError: an input cannot be used, or the model gave nothing to go on with.
        """
        if self.complete():  # type: ignore[no-untyped-call]
            return
        _die_with_parent()
        run_dir = Path(self.run_dir)
        not_complete(run_dir)
        with ExitStack() as stack:
            for artifact, value in self.work(_LateDoor(self, stack)):
                artifact.save(run_dir, value)

    def work(self, ask: Ask) -> Iterator[Written]:
        """Yield each artifact with its value once it is known. Only this composes messages."""
        raise NotImplementedError

    def _target(self, artifact: Artifact[Any]) -> luigi.LocalTarget:
        return luigi.LocalTarget(str(Path(self.run_dir) / artifact.name))


class _LateDoor:
    """Opens the step's door to the gateway at its first call: many steps make none."""

    def __init__(self, step: Step, stack: ExitStack) -> None:
        self._step = step
        self._stack = stack
        self._lock = threading.Lock()
        self._ask: Ask | None = None

    def __call__(self, call: Call[R]) -> Reply[R]:
        with self._lock:
            if self._ask is None:
                step = self._step
                door = door_for(step.task_family, list(step.models), Path(step.run_dir))
                self._ask = self._stack.enter_context(door)
        return self._ask(call)


def needed(reply: Reply[R]) -> R:
    """Return the reply's value, for a call that the step cannot do without.

    Raises:
        StepError: there is none; the message says why.
    """
    if reply.value is None:
        raise StepError(f"{reply.model or 'the model'} gave no usable reply: {reply.failure}")
    return reply.value


def _die_with_parent() -> None:
    """Have the kernel, where it can, kill a worker process of Luigi's when Luigi is killed.

    Otherwise it would go on, and the resumed pipeline would do the same step beside it.
    """
    parent = multiprocessing.parent_process()
    if parent is None or not kernel.die_with_parent():
        return
    if os.getppid() != parent.pid:  # It was killed before the kernel knew.
        os.kill(os.getpid(), signal.SIGKILL)


def _declared(step: type[Step], kind: type[Any]) -> list[Any]:
    return [
        value
        for owner in reversed(step.__mro__)
        for value in vars(owner).values()
        if isinstance(value, kind)
    ]
