"""Finds a step's rubric and reads it; all problems are reported at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ValidationError

from model_gateway.foreign_files import MOST_SETTINGS, cause_of, read_bytes, yaml_in
from model_gateway.suggestions import did_you_mean
from rubrics import rubric
from rubrics.errors import RubricError
from rubrics.rubric import Constraint, Rubric

FOLDER = Path(__file__).parent


def names(folder: Path = FOLDER) -> list[str]:
    """Return the steps that have a rubric."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find(step: str, folder: Path = FOLDER) -> Rubric | None:
    """Return the rubric of a step, or None if it has none.

    Raises:
        RubricError: it cannot be used.
    """
    if step not in names(folder):
        return None
    path = folder / f"{step}.yaml"
    rules = load(path)
    if rules.step != step:
        raise _refused(path, [f"step: {rules.step!r}, but the file is {path.name}"])
    return rules


def load(path: Path) -> Rubric:
    """Return the rubric in a file, whatever its name.

    Raises:
        RubricError: it cannot be read or is not a rubric; all problems are named.
    """
    try:
        return _read(path, read_bytes(path, most=MOST_SETTINGS))
    except OSError as error:
        raise RubricError(
            f"{path} cannot be read: {cause_of(error)}. Correct it, or name another file."
        ) from error


@lru_cache(maxsize=64)
def _read(path: Path, data: bytes) -> Rubric:
    """Return the rubric in the bytes of a file; a command asks for the same one many times."""
    value, problems = yaml_in(path, data)
    try:
        rules = Rubric.model_validate(value)
    except ValidationError as error:
        problems += [
            _message(e["loc"], e["type"], e["msg"]) for e in error.errors(include_url=False)
        ]
        raise _refused(path, problems) from None
    problems += _contradictions(rules)
    if problems:
        raise _refused(path, problems)
    return rules


def _refused(path: Path, problems: list[str]) -> RubricError:
    listed = "\n  ".join(problems)
    return RubricError(
        f"{path} cannot be used as a rubric:\n  {listed}\n"
        f"{FOLDER.name}/schema.json says what a rubric holds."
    )


def _message(location: tuple[int | str, ...], kind: str, message: str) -> str:
    where = ".".join(map(str, location)) or "the file"
    if kind == "extra_forbidden":
        return f"{where}: there is no such key.{did_you_mean(str(location[-1]), _known_keys())}"
    return f"{where}: {message}"


def _known_keys() -> set[str]:
    models = (m for m in vars(rubric).values() if isinstance(m, type) and issubclass(m, BaseModel))
    return {name for model in models for name in model.model_fields}


def _contradictions(rules: Rubric) -> Iterator[str]:
    ids = Counter(use.id for use in rules.metrics)
    yield from (f"metrics: {name} is there {n} times" for name, n in ids.items() if n > 1)
    if rules.clean is None and rules.replies is None:
        yield "clean, replies: one of them must say where the items are"
    for number, use in enumerate(rules.metrics):
        if use.of != "cell" and getattr(rules, use.of) is None:
            yield f"metrics.{number}: {use.id} is of {use.of}, and no {use.of} are named"
    for number, constraint in enumerate(rules.constraints):
        for problem in _of_constraint(constraint, list(ids)):
            yield f"constraints.{number}: {problem}"
    questions = Counter(question.id for question in rules.questions)
    yield from (f"questions: {name} is there {n} times" for name, n in questions.items() if n > 1)
    if not rules.fitness.quality + rules.fitness.latency + rules.fitness.preference > 0:
        yield "fitness: all shares are 0"


def _of_constraint(constraint: Constraint, ids: list[str]) -> Iterator[str]:
    low, high = constraint.low, constraint.high
    if constraint.metric is None:
        if (low, high) != (None, None):
            yield "bounds without a metric"
        return
    if constraint.metric not in ids:
        hint = did_you_mean(constraint.metric, ids)
        yield f"no measure is called {constraint.metric!r}.{hint}"
    if low is None and high is None:
        yield "a metric without low or high bounds nothing"
    elif low is not None and high is not None and low > high:
        yield "low is above high"
