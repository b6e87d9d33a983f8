"""The pipeline is made of the files in `steps/`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import luigi

import worker_plan
from tests.worker_plan.conftest import PLAN
from worker_plan.pipeline import FullPlan, all_steps
from worker_plan.step import Detail, Step
from worker_plan.steps.setup import Setup

EXTRA = '''
"""Count the words of the plan."""

from worker_plan.artifact import data
from worker_plan.step import Step
from worker_plan.steps.setup import Setup


class Skipped:
    """No step."""


class CountWords(Step):
    plan = Setup.plan.input
    count = data("900-1-words.json", int)

    def work(self, ask):
        yield self.count, len(self.plan.split())
'''

LOOK = """
import json, luigi, sys
from pathlib import Path
import worker_plan
from worker_plan.pipeline import FullPlan, all_steps
from worker_plan.steps.start_time import StartTime

root = FullPlan(run_dir=sys.argv[1])
task, = [task for task in root.requires() if type(task).__name__ == "CountWords"]
luigi.build([task], local_scheduler=True, log_level="ERROR")
print(json.dumps({
    "package": str(Path(worker_plan.__file__).parent),
    "steps": [step.__name__ for step in all_steps()],
    "complete": task.complete(),
}))
"""


def test_every_file_is_a_step() -> None:
    """One file holds one step, and steps come by the names of their files."""
    modules = [step.__module__.rpartition(".")[2] for step in all_steps()]
    folder = Path(worker_plan.__file__).parent / "steps"
    files = sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
    assert modules == files


def test_full_plan_requires_every_step(tmp_path: Path) -> None:
    """All steps are tasks of the root, with its parameters."""
    root = FullPlan(run_dir=str(tmp_path), models=("a", "b"), detail=Detail.PING_LLM)
    tasks = root.requires()
    assert tuple(type(task) for task in tasks) == all_steps()
    for task in tasks:
        assert isinstance(task, Step)
        assert (task.run_dir, task.models, task.detail) == (
            str(tmp_path), ("a", "b"), Detail.PING_LLM,
        )  # fmt: skip


def test_no_two_steps_write_the_same_artifact() -> None:
    """Every artifact has one writer, and its owner is that step."""
    written = [artifact for step in all_steps() for artifact in step.writes()]
    assert len({artifact.name for artifact in written}) == len(written)
    for step in all_steps():
        assert {artifact.owner for artifact in step.writes()} == {step}


def test_what_is_read_is_written_by_a_step() -> None:
    """The graph is closed: no step waits for something that nothing writes."""
    written = {artifact for step in all_steps() for artifact in step.writes()}
    assert all(set(step.reads()) <= written for step in all_steps())


def test_graph_has_no_cycle(tmp_path: Path) -> None:
    """From every step the way back ends at steps that read nothing."""
    finished: set[luigi.Task] = set()

    def visit(task: luigi.Task, way: tuple[luigi.Task, ...]) -> None:
        assert task not in way
        if task not in finished:
            finished.add(task)
            for upstream in task.requires():
                visit(upstream, (*way, task))

    visit(FullPlan(run_dir=str(tmp_path)), ())


def test_adding_a_file_adds_a_step(tmp_path: Path) -> None:
    """A module put into a copy of the package is found, required and run; nothing else changes."""
    package = Path(worker_plan.__file__).parent
    copied = tmp_path / "worker_plan"
    shutil.copytree(package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "steps" / "count_words.py").write_text(EXTRA)
    run_dir = tmp_path / "plan"
    run_dir.mkdir()
    Setup.plan.save(run_dir, PLAN)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(run_dir)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output["package"] == str(copied)
    assert set(output["steps"]) == {step.__name__ for step in all_steps()} | {"CountWords"}
    assert output["complete"]
    assert (run_dir / "900-1-words.json").read_text() == str(len(PLAN.split()))
