"""The root of the pipeline: every file in `steps/` is a step of it."""

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
    """Return every step that a module in `steps/` defines, sorted by module name."""
    step_types: list[type[Step]] = []
    for module_info in pkgutil.iter_modules(steps.__path__):
        module = importlib.import_module(f"{steps.__name__}.{module_info.name}")
        step_types.extend(
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Step)
            and value.__module__ == module.__name__
        )
    return tuple(step_types)


def step_name(step: type[Step]) -> str:
    """Return the name of a step: the name of its file."""
    return step.__module__.rpartition(".")[2]


def artifact_names() -> list[str]:
    """Return the names of the artifacts that every plan has, without the per-item ones."""
    names = (a.name for step in all_steps() for a in step.writes() if not a.per_item)
    return sorted(names, key=_numbers)


def _numbers(name: str) -> tuple[int, ...]:
    """Return the numbers before an artifact's name, by which artifacts are sorted."""
    return tuple(int(part) for part in name.split("_", maxsplit=1)[0].split("-") if part.isdigit())


class FullPlan(luigi.WrapperTask):
    """All steps of one plan, and the mark of completeness."""

    run_dir = luigi.StrParameter(description="The plan's directory.")
    models = luigi.ListParameter(default=(), description="Names of models; fallbacks follow.")
    detail = luigi.EnumParameter(
        enum=Detail, default=Detail.ALL_DETAILS_BUT_SLOW, description="How much work to do."
    )

    def requires(self) -> list[luigi.Task]:
        """Return one task for each step."""
        return [self.clone(step) for step in all_steps()]  # type: ignore[no-untyped-call]

    def output(self) -> luigi.LocalTarget:
        """Return the mark of completeness, which is written last."""
        return luigi.LocalTarget(str(Path(self.run_dir) / plan_record.COMPLETE))

    def complete(self) -> bool:
        """Whether the mark and every artifact exist."""
        return self.output().exists() and all(task.complete() for task in self.requires())

    def run(self) -> None:
        """Write what the plan used, and the mark of completeness with the known gaps.

        Raises:
            PlanError: an artifact is missing.
        """
        missing = [t.task_family for t in self.requires() if not t.complete()]
        if missing:
            raise PlanError(
                f"The plan is incomplete: artifacts of {', '.join(missing)} are missing."
            )
        run_dir = Path(self.run_dir)
        plan_record.end(run_dir, list(incomplete(run_dir)))


def incomplete(run_dir: Path) -> list[str]:
    """Return a line for each step with calls that failed or were recovered only in part."""
    lines = []
    for step in all_steps():
        names = [artifact.name for artifact in step.writes()]
        count = sum(plan_record.shortcomings(run_dir, names).values())
        if count:
            lines.append(f"{step_name(step)}: {count} {'call' if count == 1 else 'calls'}")
    return lines
