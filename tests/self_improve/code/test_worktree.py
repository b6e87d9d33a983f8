"""Candidates as code: what runs is the tree that was named, and the record says which it was."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from prompt_lab.record import Run
from self_improve.code.code_tree import digest_of
from tests.self_improve.commands import FOREIGN, ROOT, Ran, only_run, run, run_apart, runs, sent

pytestmark = pytest.mark.xdist_group("worktree")

OLD = "You sort undertakings by the reason somebody has for carrying them out."
NEW = "You are the candidate, and you sort undertakings."
PROMPT_FILE = "worker_plan/steps/identify_purpose.py"
BROKEN = "raise RuntimeError('the optimizer of the worktree was imported')\n"
LATE_HOST = """\
import_roots = ["late_host", "late_words"]
tasks = ["late_host:Late"]
run_dir = "place"
model = "who"

[environment]
ASK_AT = "{gateway_url}"
"""
LATE_TASK = """\
import importlib
import json
import os
import sys
import urllib.request
from pathlib import Path

import luigi


class Given(luigi.ExternalTask):
    place = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(Path(self.place) / "given.txt")


class Late(luigi.Task):
    place = luigi.Parameter()
    who = luigi.Parameter()

    def requires(self):
        return Given(place=self.place)

    def output(self):
        return luigi.LocalTarget(Path(self.place) / "done.txt")

    def run(self):
        kind, _, elsewhere = Path(self.place, "given.txt").read_text().partition(": ")
        if kind == "look first in":
            sys.path.insert(0, elsewhere)
        words = importlib.import_module("late_" + "words").WORDS
        body = {"messages": [{"role": "user", "content": words}]}
        url = os.environ["ASK_AT"] + "/chat/completions"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).read()
        Path(self.output().path).write_text(words)
"""


def git(folder: Path, *words: str) -> str:
    """Run git in `folder` and return what it says."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    command = ["git", *identity, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> None:
    """Commit everything in `folder`."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def replace(file: Path, old: str, new: str) -> None:
    """Replace a text that stands in `file` once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def copy_of_worker_plan(folder: Path) -> Path:
    """Put a copy of the pipeline's package into `folder`."""
    shutil.copytree(
        ROOT / "worker_plan", folder / "worker_plan", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a git repository with the pipeline on its branch `trunk`."""
    folder = copy_of_worker_plan(tmp_path_factory.mktemp("git") / "repository")
    (folder / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    commit(folder, "The pipeline")
    return folder


@pytest.fixture(scope="module")
def tree(repository: Path) -> Path:
    """Return a worktree on the branch `candidate-7`, with a new prompt and a broken optimizer."""
    folder = repository.parent / "tree"
    git(repository, "worktree", "add", "--quiet", "-b", "candidate-7", str(folder))
    replace(folder / PROMPT_FILE, OLD, NEW)
    for package in ("self_improve", "model_gateway", "prompt_lab"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(BROKEN, encoding="utf-8")
    commit(folder, "Another prompt")
    return folder


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plan that identify_purpose can work on."""
    folder = tmp_path_factory.mktemp("plans") / "kiosk"
    folder.mkdir()
    text = "A kiosk on wheels that sells hot soup to night nurses and taxi drivers."
    (folder / "001-2-plan.txt").write_text(text, encoding="utf-8")
    return folder


def words_for(plan: Path, *more: str | Path) -> tuple[str | Path, ...]:
    """Return the command line of the step on the plan."""
    return ("--step", "identify_purpose", "--model", "sim", "--plan-dir", plan, *more)


def system_prompt(done: Run) -> str:
    """Return the system prompt of the run's first attempt."""
    return done.attempts()[0].messages[0]["content"]


def reasons(done: Run) -> list[str]:
    """Return why the run is not evidence."""
    facts = done.done()
    assert facts is not None
    return list(facts["evidence"]["reasons"])


def test_worktree_runs_its_own_code(tree: Path, plan: Path, tmp_path: Path) -> None:
    """Its prompt is sent, the record names its commit, and our optimizer did the work."""
    ran = run_apart(*words_for(plan, "--code", tree), output=tmp_path)
    assert ran.code == 0, ran.err
    done = only_run(tmp_path)
    assert NEW in system_prompt(done)
    assert not any(OLD in text for text in sent(done))
    code = done.meta["code"]
    assert (code["commit"], code["branch"]) == (git(tree, "rev-parse", "HEAD"), "candidate-7")
    assert code["dirty"] is False
    assert code["digest"] == digest_of(tree, ["worker_plan"])
    assert done.meta["optimizer"]["digest"] == digest_of(ROOT, ["self_improve"])
    assert reasons(done) == []


def test_main_tree_runs_its_own_code(
    repository: Path, tree: Path, plan: Path, tmp_path: Path
) -> None:
    """Beside a worktree the main tree's prompt is sent when that tree is named."""
    assert tree.is_dir()
    ran = run(*words_for(plan, "--code", repository), output=tmp_path)
    assert ran.code == 0, ran.err
    done = only_run(tmp_path)
    assert OLD in system_prompt(done)
    assert done.meta["code"]["branch"] == "trunk"
    assert done.meta["code"]["commit"] == git(repository, "rev-parse", "HEAD")
    assert done.meta["code"]["commit"] != git(tree, "rev-parse", "HEAD")


def test_two_trees_are_two_runs(repository: Path, tree: Path, plan: Path, tmp_path: Path) -> None:
    """The same command on another tree is another run, with the same seeds for its cells."""
    for code in (repository, tree):
        assert run(*words_for(plan, "--code", code), output=tmp_path).code == 0
    first, second = runs(tmp_path)
    assert first.meta["specification"] != second.meta["specification"]
    assert first.rows()["kiosk", 0]["seed"] == second.rows()["kiosk", 0]["seed"]


def test_changed_tree_is_dirty_and_no_evidence(
    repository: Path, plan: Path, tmp_path: Path
) -> None:
    """Neither edited nor unknown files are named by the commit, nor is a detached head a branch."""
    folder = tmp_path / "tree"
    git(repository, "worktree", "add", "--quiet", "--detach", str(folder))
    replace(folder / PROMPT_FILE, OLD, "Edited, and not committed.")
    assert run(*words_for(plan, "--code", folder), output=tmp_path / "edited").code == 0
    edited = only_run(tmp_path / "edited")
    assert "Edited, and not committed." in system_prompt(edited)
    assert edited.meta["code"]["dirty"] is True
    assert edited.meta["code"]["branch"] is None
    assert edited.meta["code"]["commit"] == git(repository, "rev-parse", "HEAD")
    assert "the code has uncommitted changes, so no commit identifies it" in reasons(edited)

    git(folder, "checkout", "--quiet", ".")
    (folder / "worker_plan" / "notes.md").write_text("What is this?\n", encoding="utf-8")
    assert run(*words_for(plan, "--code", folder), output=tmp_path / "unknown").code == 0
    assert only_run(tmp_path / "unknown").meta["code"]["dirty"] is True


def test_code_outside_git_is_no_evidence(plan: Path, tmp_path: Path) -> None:
    """Without a repository there is no commit, and the record says so."""
    folder = copy_of_worker_plan(tmp_path / "bare")
    assert run(*words_for(plan, "--code", folder), output=tmp_path / "out").code == 0
    done = only_run(tmp_path / "out")
    assert done.meta["code"]["commit"] is None
    assert "the code is not in a git repository, so no commit identifies it" in reasons(done)


def test_prompt_file_beside_the_code_makes_another_run(
    repository: Path, plan: Path, tmp_path: Path
) -> None:
    """A prompt may stand in a file that is not Python; a change to it is a change of the code."""
    folder = tmp_path / "tree"
    git(repository, "worktree", "add", "--quiet", "--detach", str(folder))
    file = folder / "worker_plan" / "steps" / "purpose.txt"
    file.write_text("Sort what you are given by its reason, first way.", encoding="utf-8")
    code = (folder / PROMPT_FILE).read_text(encoding="utf-8")
    reading = (
        "\nfrom pathlib import Path\n"
        'IDENTIFY_PURPOSE_SYSTEM_PROMPT = (Path(__file__).parent / "purpose.txt").read_text()\n'
    )
    (folder / PROMPT_FILE).write_text(code + reading, encoding="utf-8")
    assert run(*words_for(plan, "--code", folder), output=tmp_path / "out").code == 0
    replace(file, "first", "second")
    assert run(*words_for(plan, "--code", folder), output=tmp_path / "out").code == 0
    first, second = runs(tmp_path / "out")
    assert "first way" in system_prompt(first)
    assert "second way" in system_prompt(second)


def test_prompt_assembled_at_import_is_changed_as_code(tmp_path: Path) -> None:
    """What cannot be a candidate as data works as a worktree of a foreign pipeline."""
    folder = tmp_path / "pipeline"
    shutil.copytree(
        FOREIGN / "planning_pipeline", folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    register = folder / "worker_plan_internal" / "risk" / "register.py"
    replace(register, "List three to five things", "As code: list two things")
    commit(tmp_path, "Another body")
    ran = run(
        "--host", FOREIGN / "planning_pipeline" / "host.toml", "--code", folder,
        "--step", "risk_register", "--model", "sim",
        "--plan-dir", FOREIGN / "planning_plans" / "tram", output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    done = only_run(tmp_path / "out")
    assert "As code: list two things" in system_prompt(done)
    assert not any("List three to five things" in text for text in sent(done))


# ------------------------------------------------------------------- modules from elsewhere


def check_refused(ran: Ran, output: Path, *words: str) -> None:
    """Assert that the command ended before anything ran, with these words."""
    assert ran.code == 2
    for word in words:
        assert word in ran.err
    assert "Traceback" not in ran.err
    assert runs(output) == []


def test_tree_without_the_pipeline_is_refused(plan: Path, tmp_path: Path) -> None:
    """The installed pipeline never takes the place of one that is not there."""
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = run(*words_for(plan, "--code", empty), output=tmp_path / "out")
    check_refused(ran, tmp_path / "out", "worker_plan was loaded from", f"not from {empty}")
    absent = tmp_path / "absent"
    ran = run(*words_for(plan, "--code", absent), output=tmp_path / "out")
    check_refused(ran, tmp_path / "out", f"There is no code directory {absent}")


def test_other_copy_on_the_import_path_is_not_run(tree: Path, plan: Path, tmp_path: Path) -> None:
    """PYTHONPATH may name another copy; the tree that was named comes first."""
    other = copy_of_worker_plan(tmp_path / "other")
    replace(other / PROMPT_FILE, OLD, "The other copy.")
    ran = run_apart(
        *words_for(plan, "--code", tree),
        output=tmp_path / "out",
        environment={"PYTHONPATH": str(other)},
    )
    assert ran.code == 0, ran.err
    assert NEW in system_prompt(only_run(tmp_path / "out"))


def test_pipeline_that_was_imported_before_is_refused(
    tree: Path, plan: Path, tmp_path: Path
) -> None:
    """Something in the environment may load another copy first; that is found out."""
    other = copy_of_worker_plan(tmp_path / "other")
    preload = f"import sys\nsys.path.insert(0, {str(other)!r})\nimport worker_plan.pipeline\n"
    (other / "sitecustomize.py").write_text(preload, encoding="utf-8")
    ran = run_apart(
        *words_for(plan, "--code", tree),
        output=tmp_path / "out",
        environment={"PYTHONPATH": str(other)},
    )
    check_refused(ran, tmp_path / "out", f"was loaded from {other}", f"not from {tree}")


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Return a code tree whose one task looks for its words when it runs, where its plan says."""
    folder = tmp_path / "late"
    folder.mkdir()
    (folder / "host.toml").write_text(LATE_HOST, encoding="utf-8")
    (folder / "late_host.py").write_text(LATE_TASK, encoding="utf-8")
    (folder / "late_words.py").write_text("WORDS = 'the words of the tree'\n", encoding="utf-8")
    return folder


def test_module_imported_late_from_elsewhere_fails_its_cell(late: Path, tmp_path: Path) -> None:
    """A task that imports other code while it runs has measured something else."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "late_words.py").write_text("WORDS = 'other words'\n", encoding="utf-8")
    for name, text in (("good", "nothing"), ("bad", f"look first in: {other}")):
        plan = tmp_path / "plans" / name
        plan.mkdir(parents=True)
        (plan / "given.txt").write_text(text, encoding="utf-8")
    ran = run(
        "--host", late / "host.toml", "--step", "late", "--model", "sim",
        "--baseline-dir", tmp_path / "plans", output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 1, ran.err
    rows = only_run(tmp_path / "out").rows()
    assert rows["good", 0]["status"] == "ok"
    assert "late_words was loaded from" in rows["bad", 0]["error"]


def test_package_missing_in_the_tree_is_refused(late: Path, tmp_path: Path) -> None:
    """One of several packages may come from elsewhere no more than all of them."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (late / "late_words.py").rename(elsewhere / "late_words.py")
    replace(late / "late_host.py", "import luigi\n", "import late_words\nimport luigi\n")
    plan = tmp_path / "plan"
    plan.mkdir()
    (plan / "given.txt").write_text("x", encoding="utf-8")
    ran = run_apart(
        "--host", late / "host.toml", "--step", "late", "--model", "sim", "--plan-dir", plan,
        output=tmp_path / "out", environment={"PYTHONPATH": str(elsewhere)},
    )  # fmt: skip
    check_refused(ran, tmp_path / "out", "late_words was loaded from", f"not from {late}")


# ------------------------------------------------------------------------ code that is broken


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("def broken(:\n", ("SyntaxError", "late_host.py", "line 1")),
        ("import no_such_package\n", ("No module named 'no_such_package'", "late_host.py")),
        ("1 / 0\n", ("ZeroDivisionError", "late_host.py", "line 1")),
        ("raise SystemExit(3)\n", ("SystemExit", "late_host.py")),
    ],
)
def test_tree_that_cannot_be_imported_is_refused(
    late: Path, tmp_path: Path, line: str, words: tuple[str, ...]
) -> None:
    """The error, its file and its line are named, and nothing else."""
    (late / "late_host.py").write_text(line + LATE_TASK, encoding="utf-8")
    plan = tmp_path / "plan"
    plan.mkdir()
    (plan / "given.txt").write_text("x", encoding="utf-8")
    ran = run(
        "--host", late / "host.toml", "--step", "late", "--model", "sim", "--plan-dir", plan,
        output=tmp_path / "out",
    )  # fmt: skip
    check_refused(ran, tmp_path / "out", f"The pipeline in {late} cannot be loaded", *words)
    assert len(ran.err.splitlines()) <= 3
