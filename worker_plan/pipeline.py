"""The root of the pipeline, found from the files in `steps/`: adding a step is adding a file."""

from __future__ import annotations

import importlib
import pkgutil

import luigi

from worker_plan import steps
from worker_plan.step import Detail, Step


def all_steps() -> list[type[Step]]:
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
    return found


class FullPlan(luigi.WrapperTask):
    """All steps of one plan."""

    run_dir = luigi.StrParameter(description="The plan's directory.")
    models = luigi.ListParameter(default=(), description="Names of models; fallbacks follow.")
    detail = luigi.EnumParameter(
        enum=Detail, default=Detail.ALL_DETAILS_BUT_SLOW, description="How much work to do."
    )

    def requires(self) -> list[luigi.Task]:
        """Return one task for each step."""
        return [self.clone(step) for step in all_steps()]  # type: ignore[no-untyped-call]
