"""The files of a step that an implementer may read, and those that it may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.replies import Direction
from model_gateway.material import block, json_block
from self_improve.errors import UsageError
from self_improve.host.contract import Host
from self_improve.host.pipeline import StepFacts
from self_improve.iteration.implementing.implementer import LARGEST_FILE, Assignment

_FAILED = 8
_LONGEST_DIFF = 3000
_HIDDEN = ("__pycache__", "node_modules", "site-packages")


def assignment(
    number: int,
    direction: Direction,
    *,
    code: Path,
    step: StepFacts,
    host: Host,
    constraints: Sequence[str],
    failed: Sequence[Mapping[str, Any]],
) -> Assignment:
    """Return the assignment of a direction.

    The step's file and its tests may be changed. Those and the modules of the host that the file
    imports may be read: no other code, no rubric, no plan.

    Raises:
        UsageError: the step's file is not in the code tree, or is not a text.
    """
    step_file = step_file_of(code, step)
    tests = tests_of(code, step)
    imported = [_relative(code, path) for path in _imported(code, step_file, host)]
    texts = {name: _text(code / name) for name in [step_file, *tests, *imported]}
    if texts[step_file] is None:
        raise UsageError(f"{step_file} is too large or not a text, so no agent can change it.")
    files = {name: text for name, text in texts.items() if text is not None}
    instructions = [
        json_block("direction", direction),
        block("constraints", "\n".join(f"- {text}" for text in constraints) or "-"),
        json_block("failed_before", [_failed_attempt(row) for row in failed[-_FAILED:]]),
    ]
    return Assignment(
        key=f"implement_{number}", instructions="\n\n".join(instructions), files=files,
        writable=tuple(name for name in [step_file, *tests] if name in files),
    )  # fmt: skip


def step_file_of(code: Path, step: StepFacts) -> str:
    """Return the name of the file that declares a step.

    Raises:
        UsageError: it is not in the code tree.
    """
    path = _module(code, step.task.partition(":")[0])
    if path is None:
        raise UsageError(f"The file of {step.name} is not in the code tree.")
    return _relative(code, path)


def tests_of(code: Path, step: StepFacts) -> list[str]:
    """Return the files in the code tree that are named like tests of the step or its module."""
    stems = {step.name, step.task.partition(":")[0].rpartition(".")[2]}
    names = {f"test_{stem}.py" for stem in stems} | {f"{stem}_test.py" for stem in stems}
    paths = (path for name in names for path in code.rglob(name))
    return sorted(
        _relative(code, path)
        for path in paths
        if path.is_file() and not path.is_symlink() and not _hidden(path.relative_to(code))
    )


def _imported(code: Path, step_file: str, host: Host) -> list[Path]:
    """Return the files of the host's modules that a file imports directly."""
    try:
        tree = ast.parse((code / step_file).read_bytes())
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{step_file} cannot be parsed: {error}") from error
    package = Path(step_file).parent.parts
    paths: dict[Path, None] = {}
    for name in _names(tree, package):
        path = _module(code, name) if host.owns(name) else None
        if path is not None and _relative(code, path) != step_file:
            paths[path] = None
    return list(paths)


def _names(tree: ast.AST, package: Sequence[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*above, *filter(None, [node.module])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def _module(code: Path, name: str) -> Path | None:
    base = code.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file() and not path.is_symlink():
            return path
    return None


def _text(path: Path) -> str | None:
    try:
        data = path.read_bytes()
        return data.decode("utf-8") if len(data) <= LARGEST_FILE else None
    except UnicodeDecodeError:
        return None


def _failed_attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"diff": str(row.get("diff", ""))[:_LONGEST_DIFF], "reasons": row.get("reasons", [])}


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in _HIDDEN for part in path.parts)


def _relative(code: Path, path: Path) -> str:
    return path.relative_to(code).as_posix()
