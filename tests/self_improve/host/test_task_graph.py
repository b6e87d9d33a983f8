"""Steps found by walking a host's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import luigi
import pytest

from self_improve.errors import UsageError
from self_improve.host import task_graph
from self_improve.host.contract import EMBEDDED, Host, load
from tests.self_improve.hosts import Loaded, loaded
from worker_plan.pipeline import all_steps

TASKS = """
from pathlib import Path
import luigi


class Base(luigi.Task):
    run_dir = luigi.Parameter()
    model = luigi.Parameter()
    tone = luigi.Parameter(default="kind")

    def at(self, name):
        return luigi.LocalTarget(str(Path(self.run_dir) / name))

    def output(self):
        return self.at(type(self).__name__)

    def run(self):
        pass


class Given(luigi.ExternalTask):
    run_dir = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(str(Path(self.run_dir) / "plan.txt"))


class SortHTMLItems(Base):
    def requires(self):
        return Given(run_dir=self.run_dir)


class WBSLevel1Task(Base):
    def requires(self):
        return {"b": self.clone(SortHTMLItems), "a": self.clone(Given)}


class Chapter(Base):
    number = luigi.IntParameter()

    def requires(self):
        return [self.clone(SortHTMLItems), self.clone(WBSLevel1Task)]

    def output(self):
        return [self.at(f"{self.number}.md"), {"raw": self.at(f"{self.number}.json")}]


class Chapters(luigi.WrapperTask):
    run_dir = luigi.Parameter()
    model = luigi.Parameter()

    def requires(self):
        return [Chapter(run_dir=self.run_dir, model=self.model, number=n) for n in (1, 2)]


class Book(Base):
    def requires(self):
        yield Chapters(run_dir=self.run_dir, model=self.model)
        yield self.clone(SortHTMLItems)


class Reads(Base):
    def requires(self):
        return self.clone(Chapter, number=1)

    def input(self):
        return {"raw": self.at("1.json")}


class All(luigi.WrapperTask):
    run_dir = luigi.Parameter()
    model = luigi.Parameter()
    tone = luigi.Parameter(default="kind")

    def requires(self):
        return [self.clone(Book), self.clone(Reads)]


class Alone(Base):
    pass
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Return a host with a diamond, bundles, acronyms and two tasks of one class."""
    with loaded(tmp_path_factory.mktemp("graph"), {"tasks": TASKS}) as package:
        yield package


def roots(host: Host) -> list[luigi.Task]:
    """Return the root tasks."""
    return task_graph.roots(host, run_dir="/plans/silo", model="haiku", speed="FAST")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IdentifyPotentialLevers", "identify_potential_levers"),
        ("IdentifyPotentialLeversTask", "identify_potential_levers"),
        ("WBSLevel1Task", "wbs_level1"),
        ("WBSProjectLevel1AndLevel2Task", "wbs_project_level1_and_level2"),
        ("SortHTMLItems", "sort_html_items"),
        ("PlanHTML", "plan_html"),
        ("SWOTAnalysisTask", "swot_analysis"),
        ("Task", "task"),
        ("ATask", "a"),
        ("Taskforce", "taskforce"),
        ("Step2Of3", "step2_of3"),
    ],
)
def test_step_is_called_like_its_class(name: str, expected: str) -> None:
    """In snake case, acronyms in one piece, without a last `Task`."""
    assert task_graph.step_name(type(name, (luigi.Task,), {})()) == expected


def test_steps_of_the_embedded_host_are_called_like_their_files() -> None:
    """The name of a step is the name of its file."""
    tasks = task_graph.roots(load(EMBEDDED), run_dir="/nowhere/plan", model="m", speed="PING_LLM")
    names = {step.__module__.rpartition(".")[2] for step in all_steps()}
    assert set(task_graph.walk(tasks)) == names


def test_walk_lists_every_step_once_upstream_first(package: Loaded) -> None:
    """A diamond's base comes once; bundles are not steps; a class's second task has a number."""
    by_name = task_graph.walk(roots(package.host()))
    assert list(by_name) == [
        "given", "sort_html_items", "wbs_level1", "chapter", "chapter-2", "book", "reads",
    ]  # fmt: skip
    for place, step in enumerate(by_name.values()):
        assert set(step.upstream) <= set(list(by_name)[:place])


def test_upstream_steps_are_named(package: Loaded) -> None:
    """Each step names the steps that it requires, those behind a bundle too, and no bundle."""
    upstream = {
        name: set(step.upstream) for name, step in task_graph.walk(roots(package.host())).items()
    }
    assert upstream == {
        "given": set(),
        "sort_html_items": {"given"},
        "wbs_level1": {"given", "sort_html_items"},
        "chapter": {"sort_html_items", "wbs_level1"},
        "chapter-2": {"sort_html_items", "wbs_level1"},
        "book": {"chapter", "chapter-2", "sort_html_items"},
        "reads": {"chapter"},
    }


def test_way_leads_to_the_step(package: Loaded) -> None:
    """Following a step's way from freshly made roots leads to the same task."""
    host = package.host()
    for step in task_graph.walk(roots(host)).values():
        assert task_graph.follow(roots(host), step.route) == step.task


def test_way_leads_to_the_step_of_the_embedded_host() -> None:
    """That holds for all steps of the pipeline that comes with it."""
    host = load(EMBEDDED)
    tasks = task_graph.roots(host, run_dir="/nowhere/plan", model="m", speed="PING_LLM")
    for step in task_graph.walk(tasks).values():
        assert task_graph.follow(tasks, step.route) is step.task


def test_way_leads_to_the_same_step_of_another_plan(package: Loaded) -> None:
    """Ways are the same for any plan and model."""
    host = package.host()
    other = task_graph.roots(host, run_dir="/plans/port", model="llama", speed="FAST")
    for step in task_graph.walk(roots(host)).values():
        task = task_graph.follow(other, step.route)
        assert type(task) is type(step.task)
        assert getattr(task, "number", None) == getattr(step.task, "number", None)
        assert task.run_dir == "/plans/port"


def test_several_roots_share_their_steps(package: Loaded) -> None:
    """The way begins with the place among the roots, and shared steps are found once."""
    host = package.host()
    tasks = tuple(f"{package.name}.tasks:{name}" for name in ("Alone", "SortHTMLItems", "All"))
    more = Host.model_validate(host.model_dump() | {"tasks": tasks})
    by_name = task_graph.walk(roots(more))
    assert by_name["alone"].route == (0,)
    assert by_name["sort_html_items"].route == (1,)
    assert by_name["book"].route[0] == 2
    assert len(by_name) == 8


def test_parameters_are_set_by_the_host_file(package: Loaded) -> None:
    """The run directory, the model, and what is fixed; a fixed value may name the speed."""
    [task] = roots(package.host(fixed={"tone": "{speed} and dry"}))
    assert (task.run_dir, task.model, task.tone) == ("/plans/silo", "haiku", "FAST and dry")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"tasks": ("nowhere.tasks:All",)}, "nowhere"),
        ({"tasks": ("self_improve.host.task_graph:Nothing",)}, "Nothing"),
        ({"run_dir": "folder"}, "folder"),
        ({"model": "llm"}, "llm"),
        ({"fixed": {"pitch": "high"}}, "pitch"),
    ],
)
def test_task_that_cannot_be_made_is_reported(
    package: Loaded, changes: dict[str, object], cause: str
) -> None:
    """The message names the task and what is wrong."""
    host = Host.model_validate(package.host().model_dump() | changes)
    with pytest.raises(UsageError, match=f"{host.tasks[0]} cannot be built: .*{cause}"):
        roots(host)


def test_inputs_are_all_that_upstream_tasks_write(package: Loaded) -> None:
    """Nested outputs count as well; bundles write nothing themselves."""
    by_name = task_graph.walk(roots(package.host()))
    assert task_graph.inputs(by_name["chapter"].task) == [
        Path("/plans/silo/SortHTMLItems"), Path("/plans/silo/WBSLevel1Task"),
    ]  # fmt: skip
    assert task_graph.outputs(by_name["chapter-2"].task) == [
        Path("/plans/silo/2.md"), Path("/plans/silo/2.json"),
    ]  # fmt: skip


def test_inputs_behind_a_bundle_count(package: Loaded) -> None:
    """A step that requires a wrapper task reads what that bundles, each artifact once."""
    by_name = task_graph.walk(roots(package.host()))
    assert {path.name for path in task_graph.inputs(by_name["book"].task)} == {
        "1.md", "1.json", "2.md", "2.json", "SortHTMLItems",
    }  # fmt: skip
    assert len(task_graph.inputs(by_name["book"].task)) == 5


def test_task_that_says_what_it_reads_is_believed(package: Loaded) -> None:
    """One of two upstream artifacts is one input."""
    by_name = task_graph.walk(roots(package.host()))
    assert task_graph.inputs(by_name["reads"].task) == [Path("/plans/silo/1.json")]


def test_external_artifacts_are_distinguished_from_computed_ones(package: Loaded) -> None:
    """A task without a `run` computes nothing."""
    by_name = task_graph.walk(roots(package.host()))
    assert [name for name, step in by_name.items() if task_graph.is_external(step.task)] == [
        "given"
    ]
