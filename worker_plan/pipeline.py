"""The root of the pipeline, found from the files in `steps/`: adding a step is adding a file."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path

import luigi

from worker_plan import plan_record, steps
from worker_plan.errors import PlanError
from worker_plan.step import Detail, Step


@functools.cache
def all_steps() -> tuple[type[Step], ...]:
    """Return every step that a module in `steps/` defines, by the names of the modules."""
    found: list[type[Step]] = []
    for module_info in pkgutil.iter_modules(steps.__path__):
        module = importlib.import_module(f"{steps.__name__}.{module_info.name}")
        found.extend(
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Step)
            and value.__module__ == module.__name__
        )
    return tuple(found)


def step_name(step: type[Step]) -> str:
    """Return the name of a step: that of its file."""
    return step.__module__.rpartition(".")[2]


def artifact_names() -> list[str]:
    """Return the names of the artifacts that every plan has, without the per-item ones."""
    names = (a.name for step in all_steps() for a in step.writes() if not a.per_item)
    return sorted(names, key=_place)


def _place(name: str) -> tuple[int, ...]:
    """Return what artifacts are ordered by: the numbers before their names."""
    return tuple(int(part) for part in name.split("_", maxsplit=1)[0].split("-") if part.isdigit())


class FullPlan(luigi.WrapperTask):
    """All steps of one plan, and the mark that every artifact is there."""

    run_dir = luigi.StrParameter(description="The plan's directory.")
    models = luigi.ListParameter(default=(), description="Names of models; fallbacks follow.")
    detail = luigi.EnumParameter(
        enum=Detail, default=Detail.ALL_DETAILS_BUT_SLOW, description="How much work to do."
    )

    def requires(self) -> list[luigi.Task]:
        """Return one task for each step."""
        return [self.clone(step) for step in all_steps()]  # type: ignore[no-untyped-call]

    def output(self) -> luigi.LocalTarget:
        """Return the mark that is written last."""
        return luigi.LocalTarget(str(Path(self.run_dir) / plan_record.COMPLETE))

    def complete(self) -> bool:
        """Whether the mark is there, and every artifact with it."""
        return self.output().exists() and all(task.complete() for task in self.requires())

    def run(self) -> None:
        """Write what the plan used and that it is complete, marked gaps included.

        Raises:
            PlanError: an artifact is missing after all.
        """
        missing = [t.task_family for t in self.requires() if not t.complete()]
        if missing:
            raise PlanError(f"Not every artifact is there; missing from {', '.join(missing)}.")
        run_dir = Path(self.run_dir)
        plan_record.end(run_dir, list(incomplete(run_dir)))


def incomplete(run_dir: Path) -> list[str]:
    """Return a line for each step some of whose calls failed or were recovered only in part."""
    told = []
    for step in all_steps():
        names = [artifact.name for artifact in step.writes()]
        count = sum(plan_record.shortcomings(run_dir, names).values())
        if count:
            told.append(f"{step_name(step)}: {count} {'call' if count == 1 else 'calls'}")
    return told
