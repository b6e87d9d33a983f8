"""The checks of an agent's code before its pull request: tests, declared artifacts, one run.

The code is untrusted. It runs only in child processes, in the worktree of its commit, confined as
cells are (see `sandbox`), without keys and with a time limit.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from model_gateway import child_process
from model_gateway.errors import BudgetReached
from model_gateway.keys import Redactor, without_keys
from prompt_lab.layout import Layout
from self_improve.cells import environment as environments
from self_improve.errors import ImproveError, UsageError
from self_improve.host.contract import own_code
from self_improve.host.pipeline import Pipeline
from self_improve.iteration.branches import Side
from self_improve.iteration.context import IterationContext
from self_improve.runs.experiment import Experiment
from self_improve.runs.preparation import prepared
from self_improve.sandbox import choice, launch, room
from self_improve.sandbox.bounds import bounds_of
from self_improve.sandbox.choice import Sandboxing

TESTS = "{python} -m pytest -q --tb=short --disable-warnings -p no:cacheprovider {files}"
"""The default command for a step's tests."""
SMOKE_MODEL = "sim-strong"
SMOKES = "smokes"
SECONDS_TO_LOAD = 120.0
_LONGEST_TAIL = 1200
_MOST_SEARCHED = 100_000


class Refused(Exception):  # noqa: N818 - an outcome, which is recorded
    """The code of an agent does not get a pull request; the message says why."""


@dataclass(frozen=True, kw_only=True)
class StepTests:
    """The command that runs tests, with `{python}` and `{files}`, and its time limit.

    `key_variables` are environment variables that hold keys, beside those that look like it;
    `redactor` takes these and all other known ones out of what the tests print.
    `sandbox` says whether the tests are confined: they run code that an agent wrote.
    """

    command: str = TESTS
    seconds: float = 600.0
    key_variables: tuple[str, ...] = ()
    redactor: Redactor | None = None
    sandbox: Sandboxing = Sandboxing.auto

    def require_runnable(self) -> None:
        """Raise UsageError if the command cannot be started, before anything is spent."""
        word = next(_words(self.command, ()), "")
        if shutil.which(word) is None:
            raise UsageError(f"--test-command: there is no program {word!r}.")
        if self.command == TESTS and importlib.util.find_spec("pytest") is None:
            raise UsageError(
                "The tests of a step are run with pytest, which is not installed. Install it, or "
                "name --test-command or --skip-implement."
            )


async def run_tests(code: Path, files: Sequence[str], command: StepTests) -> str:
    """Run the tests in `files` in the code tree `code`, and return a note for the pull request.

    Raises:
        Refused: they fail, take too long, or cannot be run.
    """
    if not files:
        return "no tests of the step were found"
    words = list(_words(command.command, files))
    environment = environments.of_cells(without_keys(os.environ, also=command.key_variables))
    paths = [str(code), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment |= {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with ExitStack() as stack:
        if choice.confines(command.sandbox, code=code, own_tree=own_code()):
            room_path = stack.enter_context(room.opened())
            environment = environments.at_home(environment, room_path / room.HOME)
            limits = bounds_of(code, own_tree=own_code(), write=(room_path,))
            words = launch.words(limits, words)
        try:
            ended = await child_process.run(
                words, folder=code, environment=environment, seconds=command.seconds
            )
        except OSError as error:
            raise Refused(f"the tests cannot be started: {words[0]}: {error.strerror}") from error
    if ended.status is None:
        raise Refused(f"the tests were killed after {command.seconds:g} s")
    if ended.status != 0:
        redact = command.redactor or Redactor(command.key_variables)
        # Cut only afterwards: half a key is not recognized any more.
        output = redact(f"{ended.error_output}\n{ended.output}"[-_MOST_SEARCHED:]).strip()
        message = without_paths(output[-_LONGEST_TAIL:], code)
        raise Refused(f"the tests ended with {ended.status}: {message}")
    return f"the tests in {', '.join(files)} pass"


def undeclared(before: Pipeline, after: Pipeline) -> list[str]:
    """Return how the declared steps differ: their names, artifacts and order must not change."""
    problems = [f"the step {n} is gone" for n in before.steps if n not in after.steps]
    problems += [f"the step {n} is new" for n in after.steps if n not in before.steps]
    for name, old in before.steps.items():
        new = after.steps.get(name, old)
        problems += [
            f"{name}: its {what} were {_listed(getattr(old, what))}, and are "
            f"{_listed(getattr(new, what))}"
            for what in ("inputs", "outputs", "upstream")
            if set(getattr(old, what)) != set(getattr(new, what))
        ]
        if old.calls_model and not new.calls_model:
            problems.append(f"{name}: it no longer calls a model")
    return problems


def others_touched(before: Pipeline, after: Pipeline, step: str) -> list[str]:
    """Return the other steps that send a changed text."""
    texts = {s: surface.text for s, surface in after.surfaces.items()}
    changed = {s for s, surface in before.surfaces.items() if texts.get(s) != surface.text}
    return [
        facts.name
        for facts in before.steps.values()
        if facts.name != step and facts.calls_model and changed & set(facts.surfaces)
    ]


async def try_step(
    context: IterationContext, side: Side, before: Pipeline, base: Side
) -> list[str]:
    """Load the code and run its step on one plan with a simulated model; return notes.

    Raises:
        Refused: the code cannot be loaded, declares other steps or artifacts, or fails where the
            base does not.
        BudgetReached: a cap was reached.
    """
    after, failure, plan = await _cell(context, side)
    problems = undeclared(before, after)
    if problems:
        raise Refused("; ".join(problems))
    notes = [f"the step runs on {plan} with the simulated model"]
    if failure is not None:
        _, failure_of_base, _ = await _cell(context, base)
        if failure_of_base is None:
            raise Refused(f"the step fails on {plan} with the simulated model: {failure}")
        notes = [f"with the simulated model the step fails on {plan} before and after the change"]
    touched = others_touched(before, after, context.request.step)
    if touched:
        notes.append(f"it also changes what these steps send: {_listed(touched)}")
    return notes


async def _cell(context: IterationContext, side: Side) -> tuple[Pipeline, str | None, str]:
    """Run one cell; return the pipeline, why the cell failed if it did, and the plan's name."""
    run, layout = context.request.run, context.layout
    folder = run.baseline_dir / "train" if run.baseline_dir is not None else layout.split("train")
    plan = next(p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith("."))
    # Outside of the iteration's scratch, which is deleted: later sessions count this spending.
    output = Layout(layout.scratch / SMOKES / context.folder.id)
    request = replace(
        context.run_request(side), models=(run.catalogue.find(SMOKE_MODEL),), plan_dirs=(plan,),
        output=output, repeats=1,
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(SECONDS_TO_LOAD):
                work = await stack.enter_async_context(prepared(request))
        except TimeoutError as error:
            raise Refused(f"it was not loaded within {SECONDS_TO_LOAD:g} s") from error
        except ImproveError as error:
            raise Refused(str(error)) from error
        experiment = Experiment({side.name: request}, {side.name: work})
        result = await experiment.run(context.gateway, context.display)
        if result.stopped is not None:
            raise BudgetReached(result.stopped)
        rows = [row for cell_run in result.runs[side.name] for row in cell_run.rows().values()]
    failures = [str(row["error"]) for row in rows if row.get("error") is not None]
    return work.pipeline, next(iter(failures), None), plan.name


def _words(command: str, files: Sequence[str]) -> Iterator[str]:
    for word in shlex.split(command):
        if word == "{files}":
            yield from files
        else:
            yield word.replace("{python}", sys.executable)


def without_paths(text: str, *more: Path) -> str:
    """Return a text without the paths of this machine, which no record may hold."""
    for path in (*more, *(path.resolve() for path in more), Path(sys.prefix), Path.home()):
        text = re.sub(rf"{re.escape(str(path))}(?:/|(?![\w.-]))", "", text)
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
