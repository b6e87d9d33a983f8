"""What happens in the process that was forked for a cell: the step's own task, run alone."""

from __future__ import annotations

import itertools
import os
import random
import sys
import traceback
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import luigi
from luigi.task import flatten, getpaths

from model_gateway import door
from self_improve.cells.cell import PLAN, CellRequest, CellResult
from self_improve.errors import ImproveError
from self_improve.host import overrides, task_graph
from self_improve.host.contract import Host


def run(
    order: CellRequest, host: Host, code: Path, recipe: task_graph.Recipe | None = None
) -> CellResult:
    """Run the step's own task on the cell's copy of the plan. Never raises.

    Call it only in a process of its own: it changes the environment and the host's texts.
    """
    try:
        _run(order, host, code, recipe)
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


def _run(order: CellRequest, host: Host, code: Path, recipe: task_graph.Recipe | None) -> None:
    plan = Path(order.folder) / PLAN
    os.chdir(plan)
    os.environ[door.VARIABLE] = order.door
    os.environ.update(environment(host, order.speed, url=order.url))
    random.seed(order.seed)
    looked_at = len(sys.modules)
    if order.texts:
        overrides.apply(order.texts, host)
        door.schema_of.cache_clear()
    if recipe is not None:
        task = recipe.task(host, run_dir=str(plan), model=order.model)
    else:
        roots = task_graph.roots(host, run_dir=str(plan), model=order.model, speed=order.speed)
        task = task_graph.follow(roots, order.way)
    missing = sorted(path.name for path in task_graph.inputs(task) if not path.exists())
    if missing:
        raise ImproveError(f"upstream artifacts are missing: {', '.join(missing)}")
    if task.complete():
        raise ImproveError("the step's outputs are there before it has run")
    _carry_out(task)
    if not task.complete():
        absent = sorted(path.name for path in task_graph.outputs(task) if not path.exists())
        raise ImproveError(f"the step ended without writing {', '.join(absent)}")
    refuse_foreign_modules(host, code, known=looked_at)


def _carry_out(task: luigi.Task) -> None:
    """Run a task. One that asks for other tasks while it runs is given them if they are done."""
    asking = task.run()
    if not isinstance(asking, Generator):
        return
    given = None
    with suppress(StopIteration):
        while True:
            wanted = asking.send(given)
            undone = [
                task_graph.step_name(other) for other in flatten(wanted) if not other.complete()
            ]
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


def refuse_foreign_modules(host: Host, code: Path, *, known: int = 0) -> None:
    """Make sure that all of the host's modules were loaded from the code tree that counts.

    The first `known` modules were looked at before. Looking at one copies memory that a forked
    process otherwise shares, so only the others are.

    Raises:
        ImproveError: one was loaded from elsewhere; the result would be another code's.
    """
    new = itertools.islice(reversed(sys.modules.items()), len(sys.modules) - known)
    for name, module in reversed(list(new)):
        path = getattr(module, "__file__", None) if host.is_from(name) else None
        if path and not Path(path).resolve().is_relative_to(code):
            raise ImproveError(f"{name} was loaded from {path}, not from {code}")
