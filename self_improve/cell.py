"""One cell: what it needs to run, and running it in the process that was forked for it."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import luigi
from luigi.task import flatten, getpaths

from model_gateway.door import VARIABLE as DOOR_VARIABLE
from self_improve import graph, overrides
from self_improve.errors import ImproveError
from self_improve.host import Host

RESULT = "result.json"
LOG = "log.txt"
PLAN = "plan"


@dataclass(frozen=True, kw_only=True)
class CellOrder:
    """What the zygote is told to run.

    `folder` is the cell's scratch directory: the plan lies in `plan/` below it; the result and
    the log are written beside that. `way` leads to the step's task (see `graph.follow`).
    `texts` are a candidate's, by surface id.
    """

    id: str
    step: str
    way: tuple[int, ...]
    model: str
    speed: str
    seed: int
    folder: str
    door: str
    url: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Return the order as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read an order from plain JSON values."""
        return cls(**{**row, "way": tuple(row["way"])})


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """How the cell's process ended: `error` is None, or says what went wrong."""

    error: str | None = None
    kind: str | None = None
    trace: str | None = None


def run(order: CellOrder, host: Host, code: Path) -> CellResult:
    """Run the step's own task on the cell's copy of the plan. Never raises.

    Call it only in a process of its own: it changes the environment and the host's texts.
    """
    try:
        _run(order, host, code)
    except BaseException as error:  # noqa: BLE001 - whatever ends a cell is its result
        return CellResult(
            error=_writable(_told(error)),
            kind=type(error).__name__,
            trace=_writable(traceback.format_exc()),
        )
    return CellResult()


def _told(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - the host wrote it, so anything may happen
        return "its message cannot be told"


def _writable(text: str) -> str:
    """Return `text` with what no file can hold, such as lone surrogates, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_result(result: CellResult, folder: Path) -> None:
    """Write the result whole or not at all."""
    path = folder / RESULT
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(asdict(result)), encoding="utf-8")
    partial.replace(path)


def write_death(status: int, folder: Path) -> None:
    """Write how the cell's process ended, if it ended before it could write its result.

    `status` is its exit status, negative for the signal that killed it.
    """
    if (folder / RESULT).exists():
        return
    names = {known.value: known.name for known in signal.Signals}
    killer = names.get(-status, f"signal {-status}")
    how = f"killed by {killer}" if status < 0 else f"exit status {status}"
    told = f"the process ended before the step did ({how})"
    write_result(CellResult(error=told, kind="Died"), folder)


def read_result(folder: Path) -> CellResult | None:
    """Return the result, or None if the process ended before it could write one."""
    try:
        return CellResult(**json.loads((folder / RESULT).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _run(order: CellOrder, host: Host, code: Path) -> None:
    plan = Path(order.folder) / PLAN
    os.chdir(plan)
    os.environ[DOOR_VARIABLE] = order.door
    os.environ.update(environment(host, order.speed, url=order.url))
    random.seed(order.seed)
    overrides.apply(order.texts, host)
    roots = graph.roots(host, run_dir=str(plan), model=order.model, speed=order.speed)
    task = graph.follow(roots, order.way)
    missing = sorted(path.name for path in graph.inputs(task) if not path.exists())
    if missing:
        raise ImproveError(f"upstream artifacts are missing: {', '.join(missing)}")
    if task.complete():
        raise ImproveError("the step's outputs are there before it has run")
    _carry_out(task)
    if not task.complete():
        absent = sorted(path.name for path in graph.outputs(task) if not path.exists())
        raise ImproveError(f"the step ended without writing {', '.join(absent)}")
    refuse_foreign_modules(host, code)


def _carry_out(task: luigi.Task) -> None:
    """Run a task. One that asks for other tasks while it runs is given them if they are done."""
    asking = task.run()
    if not isinstance(asking, Generator):
        return
    given = None
    with suppress(StopIteration):
        while True:
            wanted = asking.send(given)
            undone = [graph.step_name(other) for other in flatten(wanted) if not other.complete()]
            if undone:
                raise ImproveError(
                    f"the step asks for {', '.join(undone)} while it runs, which is not done; "
                    "upstream steps are never run for you"
                )
            given = getpaths(wanted)


def environment(host: Host, speed: str, *, url: str) -> dict[str, str]:
    """Return the variables that the host file sets; calls to `url` never go through a proxy."""
    set_by_host = {
        name: value.format(gateway_url=url, speed=speed) for name, value in host.environment.items()
    }
    return {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **set_by_host}


def refuse_foreign_modules(host: Host, code: Path) -> None:
    """Make sure that all of the host's modules were loaded from the code tree that counts.

    Raises:
        ImproveError: one was loaded from elsewhere; the result would be another code's.
    """
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and host.is_from(name) and not _real(path).is_relative_to(code):
            raise ImproveError(f"{name} was loaded from {path}, not from {code}")


@functools.cache
def _real(path: str) -> Path:
    """Return where a file really lies; asked of the same few files again in every cell."""
    return Path(path).resolve()
