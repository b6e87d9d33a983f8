"""The steps of a host pipeline, by walking `requires()` from its root tasks."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import luigi
from luigi.task import flatten

from model_gateway import temporary
from self_improve.errors import UsageError, located
from self_improve.host.contract import Host

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, kw_only=True)
class HostTask:
    """A step: its task, and the route to it as indexes into the lists that `deps()` returns.

    The first index is that among the roots.
    """

    name: str
    task: luigi.Task
    route: tuple[int, ...]
    upstream: tuple[str, ...]


def step_name(task: luigi.Task) -> str:
    """Return the name of a step: its class in snake case, without a last `Task`."""
    name = _WORD.sub("_", type(task).__name__).lower()
    return name.removesuffix("_task")


def roots(host: Host, *, run_dir: str, model: str, speed: str) -> list[luigi.Task]:
    """Return the root tasks for one plan and one model.

    Raises:
        UsageError: a task named in the host file does not exist or does not take the parameters.
    """
    tasks = []
    for path in host.tasks:
        try:
            tasks.append(_root(path, host, run_dir=run_dir, model=model, speed=speed))
        except UsageError:
            raise
        except (Exception, SystemExit) as error:
            raise UsageError(f"The host's task {path} cannot be built: {located(error)}") from error
    return tasks


def _root(path: str, host: Host, *, run_dir: str, model: str, speed: str) -> luigi.Task:
    module, name = path.split(":")
    kind: type[luigi.Task] = getattr(importlib.import_module(module), name)
    parameters = dict(kind.get_params())
    unknown = sorted({host.run_dir, host.model, *host.fixed} - parameters.keys())
    if unknown:
        raise UsageError(
            f"The host's task {path} cannot be built: it takes no {', '.join(unknown)}; it takes "
            f"{', '.join(parameters)}."
        )
    values: dict[str, Any] = {
        name: parameters[name].parse(value.format(speed=speed))
        for name, value in host.fixed.items()
    }
    values[host.run_dir] = parameters[host.run_dir].parse(run_dir)
    values[host.model] = (model,) if host.model_is_list else model
    return kind(**values)


def walk(tasks: list[luigi.Task]) -> dict[str, HostTask]:
    """Return all steps below `tasks` by name, upstream ones first.

    Tasks that only bundle others are not steps. A second task of the same class gets a number.
    """
    steps: dict[str, HostTask] = {}
    names: dict[str, tuple[str, ...]] = {}

    def visit(task: luigi.Task, route: tuple[int, ...]) -> tuple[str, ...]:
        """Return the name of the step, or the names of all steps in a bundle."""
        if task.task_id in names:
            return names[task.task_id]
        name = base = step_name(task)
        names[task.task_id] = (name,)
        inner = [visit(up, (*route, index)) for index, up in enumerate(task.deps())]
        upstream = tuple(dict.fromkeys(name for several in inner for name in several))
        if isinstance(task, luigi.WrapperTask):
            names[task.task_id] = upstream
            return upstream
        number = 1
        while name in steps:
            number += 1
            name = f"{base}-{number}"
        names[task.task_id] = (name,)
        steps[name] = HostTask(name=name, task=task, route=route, upstream=upstream)
        return (name,)

    for index, task in enumerate(tasks):
        visit(task, (index,))
    return steps


def follow(tasks: list[luigi.Task], route: tuple[int, ...]) -> luigi.Task:
    """Return the task at the end of `route`, building only the tasks along it."""
    task = tasks[route[0]]
    for index in route[1:]:
        task = task.deps()[index]
    return task


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to build a step's task without building those on the route to it.

    `constants` are the parameters that are the same for every plan and model; `run_dirs` are
    those that hold the plan's directory, `models` the names of those that hold the model.
    """

    kind: type[luigi.Task]
    constants: Mapping[str, Any]
    run_dirs: Mapping[str, luigi.Parameter[Any]]
    models: tuple[str, ...]

    def task(self, host: Host, *, run_dir: str, model: str) -> luigi.Task:
        """Return the task for one plan and one model."""
        values = dict(self.constants)
        values |= {name: parameter.parse(run_dir) for name, parameter in self.run_dirs.items()}
        values |= dict.fromkeys(self.models, (model,) if host.model_is_list else model)
        return self.kind(**values)


def recipe(host: Host, route: tuple[int, ...], speed: str) -> Recipe | None:
    """Return how to build the task at the end of `route` directly, or None if that is not certain.

    It is certain when the task's parameters are the directory, the model and values that depend
    on neither: then both ways build the same task for a second directory and model.
    """
    with temporary.opened("plan") as folder:
        first, second = folder / "first", folder / "second"
        tasks = []
        for plan in (first, second):
            plan.mkdir()
            tops = roots(host, run_dir=str(plan), model=f"model-{plan.name}", speed=speed)
            tasks.append(follow(tops, route))
        one, other = tasks
        direct = _recipe(one, host, run_dir=str(first), model=f"model-{first.name}")
        again = direct.task(host, run_dir=str(second), model=f"model-{second.name}")
        return direct if again.task_id == other.task_id and again == other else None


def _recipe(task: luigi.Task, host: Host, *, run_dir: str, model: str) -> Recipe:
    parameters = dict(type(task).get_params())
    run_dirs, models, constants = {}, [], {}
    for name, value in task.param_kwargs.items():
        if str(value) == run_dir:
            run_dirs[name] = parameters[name]
        elif value == ((model,) if host.model_is_list else model):
            models.append(name)
        else:
            constants[name] = value
    return Recipe(kind=type(task), constants=constants, run_dirs=run_dirs, models=tuple(models))


def inputs(task: luigi.Task) -> list[Path]:
    """Return the paths of the artifacts that a task reads.

    These are what an overridden `input()` returns; otherwise all that the required tasks write,
    also those that a wrapper task bundles.
    """
    read = list(_paths(task.input()))
    if type(task).input is luigi.Task.input:
        read += [path for up in task.deps() for path in _bundled(up)]
    return list(dict.fromkeys(read))


def outputs(task: luigi.Task) -> list[Path]:
    """Return the paths of the artifacts that a task declares to write."""
    return list(_paths(task.output()))


def is_external(task: luigi.Task) -> bool:
    """Whether a task computes nothing: its output comes from outside."""
    return getattr(task, "run", None) is None


def _bundled(task: luigi.Task) -> Iterator[Path]:
    if isinstance(task, luigi.WrapperTask):
        for inner in task.deps():
            yield from outputs(inner)
            yield from _bundled(inner)


def _paths(targets: Any) -> Iterator[Path]:
    for target in flatten(targets):
        path = getattr(target, "path", None)
        if path is not None:
            yield Path(os.fspath(path))
