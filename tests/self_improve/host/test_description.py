"""A host described to other processes."""

from __future__ import annotations

import json
from pathlib import Path

from self_improve.host.description import describe, load
from self_improve.host.pipeline import Pipeline
from tests.self_improve.hosts import loaded

TASKS = """
from pathlib import Path
import luigi
from HOST.models import ask


class Base(luigi.Task):
    run_dir = luigi.Parameter()
    model = luigi.Parameter()


class Draft(Base):
    def output(self):
        return luigi.LocalTarget(str(Path(self.run_dir) / "draft.md"))

    def run(self):
        ask(DRAFT_PROMPT)


class All(Base):
    def requires(self):
        return Draft(run_dir=self.run_dir, model=self.model)

    def output(self):
        return luigi.LocalTarget("/elsewhere/all.md")

    def run(self):
        pass


DRAFT_PROMPT = "You draft the first page of a plan."
"""
MODELS = "def ask(prompt):\n    raise NotImplementedError\n"


def test_a_description_is_read_as_the_pipeline_that_it_describes(tmp_path: Path) -> None:
    """It is plain JSON; artifacts are named inside the plan, others by their whole path."""
    with loaded(tmp_path, {"models": MODELS, "tasks": TASKS}) as package:
        host = package.host()
        load(host, "fast")
        pipeline = Pipeline.from_row(json.loads(json.dumps(describe(host, "fast"))))
    assert list(pipeline.steps) == ["draft", "all"]
    assert pipeline.steps["draft"].outputs == ("draft.md",)
    assert pipeline.steps["all"].inputs == ("draft.md",)
    assert pipeline.steps["all"].outputs == ("/elsewhere/all.md",)
    assert pipeline.steps["all"].upstream == ("draft",)
    assert package.id("tasks:DRAFT_PROMPT") in pipeline.surfaces
