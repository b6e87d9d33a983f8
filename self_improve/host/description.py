"""Describes a host to other processes: its steps and prompt surfaces as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_gateway import temporary
from self_improve.host import lazy_imports, reachable_surfaces, surfaces, task_graph
from self_improve.host.contract import Host
from self_improve.host.surfaces import Surface
from self_improve.host.task_graph import HostTask


def load(host: Host, speed: str) -> None:
    """Import the host, and what it would import only when its steps run."""
    with temporary.opened("plan") as plan:
        _steps(host, speed, str(plan))
    lazy_imports.load(host)


def describe(host: Host, speed: str) -> dict[str, Any]:
    """Return the host's steps and prompt surfaces (`Pipeline.from_row` reads them).

    The tasks are created for an empty directory, because some hosts require one.
    """
    with temporary.opened("plan") as plan:
        steps = _steps(host, speed, str(plan))
        all_surfaces = surfaces.find(host)
        return {
            "steps": [_row(step, host, all_surfaces, plan) for step in steps],
            "surfaces": [surface.to_row() for surface in all_surfaces.values()],
        }


def _steps(host: Host, speed: str, plan: str) -> list[HostTask]:
    """Create all tasks of the host for the directory `plan`, which imports what they need."""
    roots = task_graph.roots(host, run_dir=plan, model="none", speed=speed)
    return list(task_graph.walk(roots).values())


def _row(
    step: HostTask, host: Host, all_surfaces: dict[str, Surface], plan: Path
) -> dict[str, Any]:
    task = type(step.task)
    reached = reachable_surfaces.from_step(task, host, all_surfaces)
    return {
        "name": step.name,
        "task": f"{task.__module__}:{task.__qualname__}",
        "route": step.route,
        "upstream": step.upstream,
        "inputs": _relative(task_graph.inputs(step.task), plan),
        "outputs": _relative(task_graph.outputs(step.task), plan),
        "external": task_graph.is_external(step.task),
        "calls_model": reached.calls_model,
        "surfaces": sorted(reached.surfaces) if reached.calls_model else [],
    }


def _relative(paths: Sequence[Path], plan: Path) -> list[str]:
    """Return names inside the plan; a path outside it stays absolute."""
    return [str(p.relative_to(plan)) if p.is_relative_to(plan) else str(p) for p in paths]
