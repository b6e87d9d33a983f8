"""Untrusted code is run in children, without keys and in time, and must declare what it did."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from self_improve.cells.fork_server import ForkServer
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.surfaces import Surface
from self_improve.iteration.implementing.acceptance import (
    Refused,
    StepTests,
    others_touched,
    run_tests,
    undeclared,
)

PLAINLY = "{python} -P {files}"
STEP = StepFacts(
    name="one", task="m:One", route=(), upstream=(), inputs=("a",), outputs=("b",), external=False,
    calls_model=True, surfaces=("m:P",),
)  # fmt: skip
OTHER = replace(STEP, name="two", outputs=("c",))
TEXT = Surface(id="m:P", kind="constant", text="Say.")


def pipeline(*steps: StepFacts, text: str = "Say.") -> Pipeline:
    """Return a pipeline of these steps."""
    return Pipeline(steps={s.name: s for s in steps}, surfaces={"m:P": replace(TEXT, text=text)})


def run(code: Path, script: str, **changes: object) -> str:
    """Run a test that is a script, in a code tree of its own."""
    (code / "test_one.py").write_text(script)
    command = replace(StepTests(command=PLAINLY), **changes)
    return asyncio.run(run_tests(code, ["test_one.py"], command))


def test_tests_import_the_code_tree_and_see_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code is that of the candidate, even where a package of that name is installed."""
    monkeypatch.setenv("SOME_API_KEY", "secret-value")
    monkeypatch.setenv("ODDLY_NAMED", "secret-value")
    (tmp_path / "worker_plan").mkdir()
    (tmp_path / "worker_plan/__init__.py").write_text("HERE = 1\n")
    script = (
        "import os, worker_plan\nassert worker_plan.HERE == 1\n"
        "assert 'secret-value' not in os.environ.values()\n"
    )
    note = run(tmp_path, script, key_variables=("ODDLY_NAMED",))
    assert note == "the tests in test_one.py pass"
    assert not list(tmp_path.rglob("__pycache__"))


def test_failing_test_is_reported_without_keys_or_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record may be published, and the cut at its beginning leaves no half of a key."""
    monkeypatch.setenv("SOME_API_KEY", "secret-value-of-mine")
    said = "'secret-value-of-mine' + 'x' * 1150 + ' in ' + __import__('os').getcwd()"
    script = f"raise SystemExit({said})"
    with pytest.raises(Refused, match="the tests ended with 1") as refused:
        run(tmp_path, script)
    assert "of-mine" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_tests_that_hang_are_killed(tmp_path: Path) -> None:
    """They do not hold up the iteration."""
    with pytest.raises(Refused, match=r"killed after 0\.5 s"):
        run(tmp_path, "import time\ntime.sleep(60)", seconds=0.5)


def test_step_without_tests_says_so(tmp_path: Path) -> None:
    """It is neither a failure nor silent."""
    note = asyncio.run(run_tests(tmp_path, [], StepTests()))
    assert note == "no tests of the step were found"


def test_command_that_cannot_be_run_is_a_mistake_of_usage() -> None:
    """It is reported before anything is spent."""
    with pytest.raises(UsageError, match="no program 'nowhere-to-be-found'"):
        StepTests(command="nowhere-to-be-found {files}").require_runnable()


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (pipeline(OTHER), "the step one is gone"),
        (pipeline(STEP, OTHER, replace(STEP, name="three")), "the step three is new"),
        (pipeline(replace(STEP, outputs=("z",)), OTHER), "one: its outputs were b, and are z"),
        (pipeline(replace(STEP, inputs=()), OTHER), "one: its inputs were a, and are none"),
        (pipeline(replace(STEP, upstream=("two",)), OTHER), "one: its upstream were none"),
        (pipeline(replace(STEP, calls_model=False), OTHER), "one: it no longer calls a model"),
    ],
)
def test_declaration_must_stay(after: Pipeline, said: str) -> None:
    """Names, artifacts and order are what other steps and older plans rely on."""
    [problem] = undeclared(pipeline(STEP, OTHER), after)
    assert said in problem
    assert undeclared(pipeline(STEP, OTHER), pipeline(OTHER, STEP)) == []


def test_other_steps_with_a_changed_text_are_named() -> None:
    """They are in scope, and reviewers must know."""
    before, after = pipeline(STEP, OTHER), pipeline(STEP, OTHER, text="Say it.")
    assert others_touched(before, after, "one") == ["two"]
    assert others_touched(before, before, "one") == []


def test_code_that_hangs_while_it_is_loaded_is_ended(tmp_path: Path) -> None:
    """Nothing of it goes on when nobody waits for it any more."""
    (tmp_path / "hanging.py").write_text("while True: pass\n")
    file = tmp_path / "host.toml"
    file.write_text(
        'import_roots = ["hanging"]\ntasks = ["hanging:T"]\nrun_dir = "d"\nmodel = "m"\n'
    )

    async def load() -> list[psutil.Process]:
        with tempfile.TemporaryFile() as errors, pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await ForkServer.start(
                    code=tmp_path, host_file=file, speed="x", environment=dict(os.environ),
                    errors=errors,
                )  # fmt: skip
        return [child for child in psutil.Process().children(recursive=True) if is_its(child)]

    def is_its(child: psutil.Process) -> bool:
        try:
            return str(tmp_path) in child.cmdline()
        except psutil.Error:  # It has ended.
            return False

    assert asyncio.run(load()) == []
