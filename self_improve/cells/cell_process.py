"""Runs the step's own task, alone, in the process that was forked for a cell."""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

import luigi
from luigi.task import flatten, getpaths

from model_gateway import door
from self_improve.cells.cell import PLAN, CellRequest, CellResult
from self_improve.errors import ImproveError
from self_improve.host import overrides, task_graph
from self_improve.host.contract import Host


class LateDependencyError(ImproveError):
    """While it runs, the step asks for tasks that are not complete; `names` are their artifacts."""

    def __init__(self, tasks: Sequence[luigi.Task], plan: Path) -> None:
        asked = ", ".join(task_graph.step_name(task) for task in tasks)
        super().__init__(
            f"while it runs, the step asks for {asked}, which is not complete and which the plan "
            "does not hold; upstream steps are never run for you"
        )
        paths = [plan / path for task in tasks for path in task_graph.outputs(task)]
        self.names = [str(p.relative_to(plan)) for p in paths if p.is_relative_to(plan)]


def run(
    request: CellRequest, host: Host, code: Path, recipe: task_graph.Recipe | None = None
) -> CellResult:
    """Run the step's own task on the cell's copy of the plan. Never raises.

    Call it only in a process of its own: it changes the environment and the host's texts.
    """
    try:
        _run(request, host, code, recipe)
    except LateDependencyError as late:
        return CellResult(
            error=_writable(str(late)), kind=type(late).__name__, asks_for=json.dumps(late.names)
        )
    except BaseException as error:  # noqa: BLE001 - whatever ends a cell is its result
        return CellResult(
            error=_writable(_message(error)),
            kind=type(error).__name__,
            trace=_writable(traceback.format_exc()),
        )
    return CellResult()


def _message(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - the host wrote it, so anything may happen
        return "its message cannot be read"


def _writable(text: str) -> str:
    """Return `text` with characters that no file can hold, such as lone surrogates, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _run(request: CellRequest, host: Host, code: Path, recipe: task_graph.Recipe | None) -> None:
    plan = Path(request.folder) / PLAN
    os.chdir(plan)
    os.environ[door.VARIABLE] = request.door
    os.environ.update(environment(host, request.speed, url=request.url))
    random.seed(request.seed)
    checked = len(sys.modules)
    if request.texts:
        overrides.apply(request.texts, host)
        door.schema_of.cache_clear()
    if recipe is not None:
        task = recipe.task(host, run_dir=str(plan), model=request.model)
    else:
        roots = task_graph.roots(host, run_dir=str(plan), model=request.model, speed=request.speed)
        task = task_graph.follow(roots, request.route)
    missing = sorted(path.name for path in task_graph.inputs(task) if not path.exists())
    if missing:
        raise ImproveError(f"upstream artifacts are missing: {', '.join(missing)}")
    if task.complete():
        raise ImproveError("the step's outputs existed before it ran")
    _carry_out(task, plan)
    if not task.complete():
        absent = sorted(path.name for path in task_graph.outputs(task) if not path.exists())
        raise ImproveError(f"the step ended without writing {', '.join(absent)}")
    refuse_foreign_modules(host, code, checked=checked)


def _carry_out(task: luigi.Task, plan: Path) -> None:
    """Run a task. If it asks for other tasks while it runs, it gets those that are complete."""
    running = task.run()
    if not isinstance(running, Generator):
        return
    targets = None
    with suppress(StopIteration):
        while True:
            required = running.send(targets)
            undone = [other for other in flatten(required) if not other.complete()]
            if undone:
                raise LateDependencyError(undone, plan)
            targets = getpaths(required)


def environment(host: Host, speed: str, *, url: str) -> dict[str, str]:
    """Return the variables of the host file, and those that keep calls to `url` off any proxy."""
    set_by_host = {
        name: value.format(gateway_url=url, speed=speed) for name, value in host.environment.items()
    }
    return {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **set_by_host}


def refuse_foreign_modules(host: Host, code: Path, *, checked: int = 0) -> None:
    """Check that all of the host's modules were loaded from the code tree `code`.

    The first `checked` modules were checked before: looking at one copies memory that a forked
    process otherwise shares, so only the others are checked.

    Raises:
        ImproveError: one was loaded from elsewhere; the result would be that of other code.
    """
    new = itertools.islice(reversed(sys.modules.items()), len(sys.modules) - checked)
    for name, module in reversed(list(new)):
        path = getattr(module, "__file__", None) if host.owns(name) else None
        if path and not Path(path).resolve().is_relative_to(code):
            raise ImproveError(f"{name} was loaded from {path}, not from {code}")
