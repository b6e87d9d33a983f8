"""The base of every task of the pipeline."""

from enum import Enum
from pathlib import Path
from typing import Any

import luigi

from worker_plan_internal.llm_factory import get_llm
from worker_plan_internal.plan.filenames import FilenameEnum


class SpeedVsDetail(Enum):
    """How much work a plan is worth."""

    ALL_DETAILS_BUT_SLOW = "all"
    FAST_BUT_SKIP_DETAILS = "fast"
    PING_LLM = "ping"


class PlanTask(luigi.Task):
    """A task of one plan. A node overrides `run_inner`, and never `run`."""

    run_id_dir = luigi.PathParameter()
    llm_models = luigi.ListParameter(default=["nothing-configured"])
    speedvsdetail = luigi.EnumParameter(
        enum=SpeedVsDetail, default=SpeedVsDetail.ALL_DETAILS_BUT_SLOW
    )

    def file_path(self, name: FilenameEnum) -> Path:
        """Return where the artifact lies."""
        return Path(self.run_id_dir) / name.value

    def local_target(self, name: FilenameEnum) -> luigi.LocalTarget:
        """Return the artifact as a target."""
        return luigi.LocalTarget(self.file_path(name))

    def with_llm(self, work: Any) -> Any:
        """Do `work` with the first model that does not fail."""
        for place, model in enumerate(self.llm_models, start=1):
            try:
                return work(get_llm(model))
            except Exception:
                if place == len(self.llm_models):
                    raise
        raise ValueError("no model is configured")

    def run(self) -> None:
        """Do the node's work."""
        print(f"{type(self).__name__} begins")
        self.run_inner()

    def run_inner(self) -> None:
        """Do what the node is for."""
        raise NotImplementedError
