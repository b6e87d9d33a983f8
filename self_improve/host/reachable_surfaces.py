"""Which prompt surfaces a step could send, and whether it calls a model, by its code.

The names in the methods of the step's class are followed through the functions, classes and
constants of the host's modules. This is a first guess; what a cell has really sent confirms it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

import luigi
from pydantic import BaseModel

from self_improve.host.contract import Host
from self_improve.host.surfaces import Surface

MODEL_CLIENTS = (
    "model_gateway", "openai", "anthropic", "ollama", "llama_index", "litellm", "langchain_core",
    # With these a model may be called without a client.
    "httpx", "requests", "aiohttp", "urllib.request", "http.client",
)  # fmt: skip


@dataclass(kw_only=True)
class Reached:
    """The ids of the surfaces that were reached, and whether a model client was reached."""

    surfaces: set[str] = field(default_factory=set)
    calls_model: bool = False


def from_step(step: type[luigi.Task], host: Host, surfaces: Mapping[str, Surface]) -> Reached:
    """Follow the names in `step`'s own methods."""
    walk = _Walk(step, host, surfaces)
    for value in vars(step).values():
        walk.visit(value)
    return walk.reached


class _Walk:
    def __init__(self, step: type[luigi.Task], host: Host, surfaces: Mapping[str, Surface]) -> None:
        self._step = step
        self._host = host
        self._texts = {id(s.text): s.id for s in surfaces.values() if "." not in s.name}
        self._surfaces = surfaces
        self._seen: set[int] = set()
        self.reached = Reached()

    def visit(self, value: Any) -> None:
        """Follow one value, once."""
        value = _unwrapped(value)
        if isinstance(value, str):
            if id(value) in self._texts:
                self.reached.surfaces.add(self._texts[id(value)])
            return
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, type):
            self._class(value)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, ModuleType):
            self._note_client(value.__name__)
        else:
            self._note_client(type(value).__module__)
            for inner in self._inside(value):
                self.visit(inner)

    def _inside(self, value: Any) -> Iterable[Any]:
        """Return what a container, a bound call or an object of the host's classes contains."""
        if isinstance(value, dict):
            return list(value.values())
        if isinstance(value, list | tuple | set | frozenset):
            return value
        if isinstance(value, partial):
            return (value.func, *value.args, *value.keywords.values())
        if self._host.owns(type(value).__module__):
            return (type(value), *getattr(value, "__dict__", {}).values())
        return ()

    def _function(self, value: FunctionType) -> None:
        self._note_client(value.__module__)
        if self._host.owns(value.__module__):
            self._code(value.__code__, value.__globals__)
            for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
                self.visit(default)
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # It may still be empty.
                self.visit(cell.cell_contents)

    def _class(self, value: type) -> None:
        self._note_client(value.__module__)
        if not self._host.owns(value.__module__):
            return
        if issubclass(value, luigi.Task) and value not in self._step.__mro__:
            return  # Another step, which sends its own texts.
        if issubclass(value, BaseModel):
            self._model(value)
        for attribute in vars(value).values():
            self.visit(attribute)

    def _model(self, model: type[BaseModel]) -> None:
        for owner in model.__mro__:
            prefix = f"{owner.__module__}:{owner.__name__}."
            self.reached.surfaces.update(s for s in self._surfaces if s.startswith(prefix))
        for info in model.model_fields.values():
            self._annotation(info.annotation)

    def _annotation(self, annotation: Any) -> None:
        if isinstance(annotation, type):
            self.visit(annotation)
        for inner in getattr(annotation, "__args__", ()):
            self._annotation(inner)

    def _code(self, code: CodeType, names: dict[str, Any]) -> None:
        for name in code.co_names:
            if name in names:
                self.visit(names[name])
            elif hasattr(self._step, name):
                # A method of the step itself, inherited ones included.
                self.visit(getattr(self._step, name))
        for module in _modules(code.co_names, names):
            self.visit(module)
            for name in code.co_names:
                self.visit(vars(module).get(name))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._code(constant, names)

    def _note_client(self, module: str | None) -> None:
        if module and any(f"{module}.".startswith(f"{client}.") for client in MODEL_CLIENTS):
            self.reached.calls_model = True


def _unwrapped(value: Any) -> Any:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return getattr(value, "__func__", value)


def _modules(mentioned: Sequence[str], names: Mapping[str, Any]) -> list[ModuleType]:
    """Return the modules that code mentions: those it has, and those it imports when it runs."""
    package = str(names.get("__package__") or "").split(".")
    parents = [".".join(package[:length]) for length in range(1, len(package) + 1)]
    modules: dict[str, ModuleType] = {}
    for name in mentioned:
        absolute = [name, *(f"{parent}.{name}" if name else parent for parent in parents)]
        values = [names.get(name), *map(sys.modules.get, absolute)]
        modules |= {value.__name__: value for value in values if isinstance(value, ModuleType)}
    return list(modules.values())
