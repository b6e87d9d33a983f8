"""A step: one Luigi task that declares what it reads and writes, and does the work."""

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
from model_gateway.material import blocks
from worker_plan.artifact import Artifact, Input
from worker_plan.errors import StepError
from worker_plan.plan_record import remove_mark

Written = tuple[Artifact[Any], Any]
"""An artifact and the value to write into it."""


class Detail(Enum):
    """How much work to do for a plan; the same words as on the command line."""

    ALL_DETAILS_BUT_SLOW = "ALL_DETAILS_BUT_SLOW"
    FAST_BUT_SKIP_DETAILS = "FAST_BUT_SKIP_DETAILS"
    PING_LLM = "PING_LLM"


class Step(luigi.Task):
    """One step of the pipeline, declared once, in one file.

    Its outputs are class attributes made with `artifact.text` or `artifact.data`; its inputs are
    attributes such as `plan = Setup.plan.input`. Such an attribute is the only way to read an
    artifact, so the declaration is always complete, and the steps before this one follow from
    it. `models` are names from `llm_config/`: the first is used, the others are fallbacks.
    """

    run_dir = luigi.StrParameter(description="The plan's directory.")
    models = luigi.ListParameter(default=(), description="Names of models; fallbacks follow.")
    detail = luigi.EnumParameter(
        enum=Detail, default=Detail.ALL_DETAILS_BUT_SLOW, description="How much work to do."
    )

    @classmethod
    def reads(cls) -> list[Artifact[Any]]:
        """Return the artifacts that this step reads, in the order of their declaration."""
        return [declared.artifact for declared in _declared(cls, Input).values()]

    @classmethod
    def writes(cls) -> list[Artifact[Any]]:
        """Return the artifacts that this step writes, the cleaned form last."""
        return list(_declared(cls, Artifact).values())

    def requires(self) -> list[luigi.Task]:
        """Return the steps that write what this one reads."""
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
            PlanError: an input cannot be used, or no reply of the model can.
        """
        if self.complete():  # type: ignore[no-untyped-call]
            return
        _die_with_parent()
        run_dir = Path(self.run_dir)
        remove_mark(run_dir)
        with ExitStack() as stack:
            for artifact, value in self.work(_LateDoor(self, stack)):
                artifact.save(run_dir, value)

    def work(self, ask: Ask) -> Iterator[Written]:
        """Yield each artifact with its value. No other method composes messages to a model."""
        raise NotImplementedError

    def briefing(self) -> str:
        """Return every text that this step reads, each in a block named like its attribute.

        The blocks are in the order of declaration: steps whose first inputs are the same send
        the same beginning, for which providers charge less. JSON is left out unless its
        artifact says how a model reads it.
        """
        shown = {
            name: declared.artifact.show(getattr(self, name))
            for name, declared in _declared(type(self), Input).items()
            if declared.artifact.show is not None
        }
        return blocks(**shown)

    def _target(self, artifact: Artifact[Any]) -> luigi.LocalTarget:
        return luigi.LocalTarget(str(Path(self.run_dir) / artifact.name))


class _LateDoor:
    """Opens the step's door to the gateway at the first call: many steps make none."""

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
    """Have the kernel, where it can, kill a Luigi worker process when Luigi is killed.

    Otherwise the worker would continue, and a resumed pipeline would do the same step again.
    """
    parent = multiprocessing.parent_process()
    if parent is None or not kernel.die_with_parent():
        return
    if os.getppid() != parent.pid:  # Luigi was killed before the request.
        os.kill(os.getpid(), signal.SIGKILL)


def _declared(step: type[Step], kind: type[Any]) -> dict[str, Any]:
    return {
        name: value
        for owner in reversed(step.__mro__)
        for name, value in vars(owner).items()
        if isinstance(value, kind)
    }
