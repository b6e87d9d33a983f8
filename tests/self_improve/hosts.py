"""Small hosts written to disk and imported, and the facts that a zygote would tell of a host."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from model_gateway.config import Model
from self_improve.code.code_tree import CodeTree
from self_improve.host.candidate import Candidate
from self_improve.host.contract import Host
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.plans import PlanInputs
from self_improve.host.surfaces import Surface
from self_improve.runs.specification import RunSpecification

SHARED = Path(__file__).parents[3] / "shared"
_NUMBERS = itertools.count()

SYSTEM = "steps.find:FIND_SYSTEM_PROMPT"
FOLLOW_UP = "steps.find:FIND_FOLLOW_UP_PROMPT"
OTHER = "steps.other:OTHER_SYSTEM_PROMPT"
FIELD = "steps.find:Found.name"
TEXTS = {
    SYSTEM: "You find the levers of a plan.",
    FOLLOW_UP: "Give others than {found}, please.",
    OTHER: "You do something else entirely.",
    FIELD: "A short name for it.",
}


def shared(*parts: str) -> Path:
    """Return a file of ../shared, or skip the test where it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"../shared/{'/'.join(parts)} is not beside this checkout")
    return path


@contextmanager
def loaded(folder: Path, files: Mapping[str, str]) -> Iterator[Loaded]:
    """Write a package of these modules, import them all, and forget them afterwards.

    `HOST` in a source stands for the package's name, which nothing else has.
    """
    name = f"host_{next(_NUMBERS)}"
    package = folder / name
    package.mkdir(parents=True)
    for module, source in {"__init__": "", **files}.items():
        (package / f"{module}.py").write_text(source.replace("HOST", name), encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        for module in files:
            importlib.import_module(f"{name}.{module}" if module != "__init__" else name)
        yield Loaded(name, package)
    finally:
        sys.path.remove(str(folder))
        for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[module]


class Loaded:
    """A package that was imported, and its contract."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def __getitem__(self, module: str) -> ModuleType:
        """Return a module."""
        return sys.modules[f"{self.name}.{module}"]

    def id(self, surface: str) -> str:
        """Return the id of a surface from `module:NAME`."""
        return f"{self.name}.{surface}"

    def host(self, **changes: Any) -> Host:
        """Return the host file's content."""
        return host(import_roots=(self.name,), tasks=(f"{self.name}.tasks:All",), **changes)


def host(**changes: Any) -> Host:
    """Return the content of a host file."""
    values = {
        "import_roots": ("pipeline",),
        "tasks": ("pipeline.tasks:All",),
        "run_dir": "run_dir",
        "model": "model",
    }
    return Host.model_validate({**values, **changes})


def step(**changes: Any) -> StepFacts:
    """Return a step that reads two artifacts, and sends two constants and a description."""
    values: dict[str, Any] = {
        "name": "find",
        "task": "steps.find:Find",
        "route": (0,),
        "upstream": (),
        "inputs": ("001-2-plan.txt", "002-8-plan_type.md"),
        "outputs": ("002-10-levers.json",),
        "external": False,
        "calls_model": True,
        "surfaces": (SYSTEM, FOLLOW_UP, FIELD),
    }
    return StepFacts(**{**values, **changes})


def surface(surface_id: str, text: str, **changes: Any) -> Surface:
    """Return a surface, whose id names its kind."""
    kind = "description" if "." in surface_id.partition(":")[2] else "constant"
    return Surface(**{"id": surface_id, "kind": kind, "text": text, **changes})


def pipeline(*more: Surface) -> Pipeline:
    """Return a pipeline of one step, with the surfaces of `TEXTS` and `more`."""
    surfaces = (*(surface(i, text) for i, text in TEXTS.items()), *more)
    return Pipeline(steps={"find": step()}, surfaces={one.id: one for one in surfaces})


def model(**changes: Any) -> Model:
    """Return a model."""
    values = {"name": "haiku", "provider": "anthropic", "model_id": "claude-haiku-4-5"}
    return Model.model_validate({**values, **changes})


def code(**changes: Any) -> CodeTree:
    """Return a clean code tree at a commit."""
    values: dict[str, Any] = {
        "root": Path("/somewhere/code"), "commit": "c0ffee", "branch": "main", "dirty": False,
        "digest": "d1",
    }  # fmt: skip
    return CodeTree(**{**values, **changes})


def inputs(plan: str = "silo", digest: str = "p1", folder: str = "/somewhere") -> PlanInputs:
    """Return the inputs of a plan."""
    name = "001-2-plan.txt"
    return PlanInputs(
        plan=plan, files={name: Path(folder) / plan / name}, digests={name: digest}
    )  # fmt: skip


def specification(**changes: Any) -> RunSpecification:
    """Return the specification of a baseline run on one plan."""
    values: dict[str, Any] = {
        "step": step(), "pipeline": pipeline(), "host_digest": "h1", "code": code(),
        "candidate": Candidate(), "models": (model(),), "speed": "ALL_DETAILS_BUT_SLOW",
        "seed": 1, "repeats": 1, "inputs": {"silo": inputs()},
    }  # fmt: skip
    return RunSpecification(**{**values, **changes})
