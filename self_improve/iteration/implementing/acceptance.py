"""What code of an agent must pass before it gets a pull request: tests, declaration, a run.

The code is untrusted. It runs in child processes alone, in the worktree of its commit, without keys
and with a time limit.
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
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from model_gateway import child_process
from model_gateway.errors import BudgetReached
from model_gateway.keys import Redactor, without_keys
from prompt_lab.layout import Layout
from self_improve.errors import ImproveError, UsageError
from self_improve.host.pipeline import Pipeline
from self_improve.iteration.branches import Branched
from self_improve.iteration.context import IterationContext
from self_improve.runs.experiment import Experiment
from self_improve.runs.preparation import prepared

TESTS = "{python} -m pytest -q --tb=short --disable-warnings -p no:cacheprovider {files}"
"""How a step's tests are run unless somebody says otherwise."""
SMOKE_MODEL = "sim-strong"
SMOKES = "smokes"
SECONDS_TO_LOAD = 120.0
_LONGEST_TAIL = 1200


class Refused(Exception):  # noqa: N818 - an outcome, which is recorded
    """The code of an agent does not get a pull request; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Trials:
    """How tests are run: a command with `{python}` and `{files}`, and how long it may take.

    `key_variables` are the names of variables that hold keys whatever they are called.
    """

    command: str = TESTS
    seconds: float = 600.0
    key_variables: tuple[str, ...] = ()

    def require_runnable(self) -> None:
        """Raise UsageError if the command cannot be started; nothing has been spent then."""
        word = next(_words(self.command, ()), "")
        if shutil.which(word) is None:
            raise UsageError(f"--test-command: there is no program {word!r}.")
        if self.command == TESTS and importlib.util.find_spec("pytest") is None:
            raise UsageError(
                "The tests of a step are run with pytest, which is not installed here. Install it, "
                "say --test-command, or --skip-implement."
            )


async def passed(code: Path, files: Sequence[str], trials: Trials) -> str:
    """Run the tests in `files` in the code tree `code`, and return what to tell of it.

    Raises:
        Refused: they fail, take too long, or cannot be run.
    """
    if not files:
        return "no tests of the step were found"
    words = list(_words(trials.command, files))
    environment = without_keys(os.environ, also=trials.key_variables)
    paths = [str(code), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment |= {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        ended = await child_process.run(
            words, folder=code, environment=environment, seconds=trials.seconds
        )
    except OSError as error:
        raise Refused(f"the tests cannot be started: {words[0]}: {error.strerror}") from error
    if ended.status is None:
        raise Refused(f"the tests were killed after {trials.seconds:g} s")
    if ended.status != 0:
        said = f"{ended.error_output}\n{ended.output}".strip()[-_LONGEST_TAIL:]
        told = without_paths(Redactor(trials.key_variables)(said), code)
        raise Refused(f"the tests ended with {ended.status}: {told}")
    return f"the tests in {', '.join(files)} pass"


def undeclared(before: Pipeline, after: Pipeline) -> list[str]:
    """Return how the declaration of steps differs: their names, artifacts and order must stay."""
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
            problems.append(f"{name}: it asks no model any more")
    return problems


def others_touched(before: Pipeline, after: Pipeline, step: str) -> list[str]:
    """Return the other steps that send a text which is not what it was."""
    texts = {s: surface.text for s, surface in after.surfaces.items()}
    changed = {s for s, surface in before.surfaces.items() if texts.get(s) != surface.text}
    return [
        facts.name
        for facts in before.steps.values()
        if facts.name != step and facts.calls_model and changed & set(facts.surfaces)
    ]


async def runs(
    context: IterationContext, side: Branched, before: Pipeline, base: Branched
) -> list[str]:
    """Load the code and run its step on one plan with a simulated model; return what to tell.

    Raises:
        Refused: the code cannot be loaded, declares other things, or fails where the base does not.
        BudgetReached: a cap ended it.
    """
    after, failure, plan = await _cell(context, side)
    problems = undeclared(before, after)
    if problems:
        raise Refused("; ".join(problems))
    told = f"the step runs on {plan} with the simulated model"
    if failure is not None:
        known = (await _cell(context, base))[1]
        if known is None:
            raise Refused(f"the step fails on {plan} with the simulated model: {failure}")
        told = f"on {plan} the simulated model gets no reply through, before and after the change"
    touched = others_touched(before, after, context.request.step)
    return [told, *([f"it also changes what these steps send: {_listed(touched)}"] * bool(touched))]


async def _cell(context: IterationContext, side: Branched) -> tuple[Pipeline, str | None, str]:
    """Run one cell; return the pipeline, why the cell failed if it did, and the plan's name."""
    request, place = context.request, context.place
    code = context.branching.tree(side, context.base).code
    plain = request.wanted(code, number=place.number, models=[request.catalogue.find(SMOKE_MODEL)])
    folder = request.plans / "train" if request.plans is not None else request.layout.split("train")
    plan = next(p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith("."))
    # Kept when the iteration's scratch is taken away: what was spent here is counted later, too.
    output = Layout(request.layout.scratch / SMOKES / place.id)
    wanted = replace(plain, plan_dirs=(plan,), output=output, repeats=1)
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(SECONDS_TO_LOAD):
                work = await stack.enter_async_context(prepared(wanted))
        except TimeoutError as error:
            raise Refused(f"it was not loaded within {SECONDS_TO_LOAD:g} s") from error
        except ImproveError as error:
            raise Refused(str(error)) from error
        trial = Experiment({side.name: wanted}, {side.name: work})
        ran = await trial.run(context.gateway, context.display)
        if ran.stopped is not None:
            raise BudgetReached(ran.stopped)
        [run] = ran.runs[side.name]
        errors = [row.get("error") for row in run.rows().values()]
    failed = [str(error) for error in errors if error is not None]
    return work.pipeline, (failed[0] if failed else None), plan.name


def _words(command: str, files: Sequence[str]) -> Iterator[str]:
    for word in shlex.split(command):
        if word == "{files}":
            yield from files
        else:
            yield word.replace("{python}", sys.executable)


def without_paths(text: str, *more: Path) -> str:
    """Return a text without the paths of this machine, which no record may hold."""
    for place in (*more, *(path.resolve() for path in more), Path(sys.prefix), Path.home()):
        text = re.sub(rf"{re.escape(str(place))}(?:/|(?![\w.-]))", "", text)
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
