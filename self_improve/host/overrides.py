"""Replaces texts of the host by a candidate's, in a process that runs nothing else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from pydantic import BaseModel

from self_improve.errors import UsageError
from self_improve.host.contract import Host
from self_improve.host.surfaces import heirs_of


def apply(texts: Mapping[str, str], host: Host) -> None:
    """Set each surface of `texts` (id to text) until this process ends.

    A constant is replaced wherever the host's code holds the same object: under any name in a
    module or a class, in a list or dict of theirs, as a parameter's default. After a description
    was set, every model that embeds its model is rebuilt.

    Raises:
        UsageError: an id names nothing that can be set.
    """
    touched: set[type[BaseModel]] = set()
    for surface_id, text in texts.items():
        module_name, _, name = surface_id.partition(":")
        module = sys.modules.get(module_name)
        if module is None or not host.owns(module_name):
            raise UsageError(f"There is no module {module_name} for the surface {surface_id}.")
        if "." in name:
            touched.add(_set_description(module, name, text, surface_id))
        else:
            _set_constant(module, name, text, surface_id, host)
    if touched:
        _rebuild(touched, host)


def _set_constant(module: ModuleType, name: str, text: str, surface_id: str, host: Host) -> None:
    old = vars(module).get(name)
    if not isinstance(old, str):
        raise UsageError(f"The surface {surface_id} is not a string in the code that was loaded.")
    replacement = _Replacement(old, text, host)
    for other_name, other in list(sys.modules.items()):
        if host.owns(other_name):
            replacement.names_of(other)


class _Replacement:
    """Replaces one string by another in everything that the host's names lead to."""

    def __init__(self, old: str, new: str, host: Host) -> None:
        self._old = old
        self._new = new
        self._host = host
        self._seen: set[int] = set()

    def names_of(self, owner: ModuleType | type) -> None:
        """Replace it in a module or class."""
        for name, value in list(vars(owner).items()):
            if value is self._old:
                setattr(owner, name, self._new)
            else:
                self._inside(value)

    def _inside(self, value: Any) -> None:
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, dict | list):
            for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
                if inner is self._old:
                    value[key] = self._new
                else:
                    self._inside(inner)
        elif isinstance(value, staticmethod | classmethod):
            self._inside(value.__func__)
        elif isinstance(value, FunctionType):
            self._defaults_of(value)
            self._inside(getattr(value, "__wrapped__", None))
        elif isinstance(value, type) and self._host.owns(value.__module__):
            self.names_of(value)

    def _defaults_of(self, function: FunctionType) -> None:
        if function.__defaults__:
            function.__defaults__ = tuple(
                self._new if value is self._old else value for value in function.__defaults__
            )
        if function.__kwdefaults__:
            self._inside(function.__kwdefaults__)


def _set_description(module: ModuleType, name: str, text: str, surface_id: str) -> type[BaseModel]:
    model_name, field = name.split(".", 1)
    model = vars(module).get(model_name)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise UsageError(f"The surface {surface_id} names no model in the code that was loaded.")
    if field not in model.model_fields:
        raise UsageError(f"The surface {surface_id} names no field of {model_name}.")
    for kind in (model, *heirs_of(model, field)):
        kind.model_fields[field].description = text
    return model


def _rebuild(touched: set[type[BaseModel]], host: Host) -> None:
    """Rebuild the touched models and all that embed or extend them."""
    models = [
        value
        for name, module in list(sys.modules.items())
        if host.owns(name)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value is not BaseModel
    ]
    embeds = {model: _models_in(model, models) for model in models}
    stale = [model for model in models if _reaches(model, touched, embeds, set())]
    # Models may embed each other, so none can be rebuilt first: all schemas are dropped before
    # any is built again from the fields of the models in it.
    for model in stale:
        if "__pydantic_core_schema__" in vars(model):
            del model.__pydantic_core_schema__
    for model in stale:
        model.model_rebuild(force=True)


def _models_in(model: type[BaseModel], models: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Return the models that `model` names in its fields' annotations, and those it extends."""
    inside: list[type[BaseModel]] = []
    rest = [info.annotation for info in model.model_fields.values()]
    seen: set[int] = set()
    while rest:
        annotation = rest.pop()
        if annotation is None or id(annotation) in seen:
            continue
        seen.add(id(annotation))
        if isinstance(annotation, type) and annotation in models:
            inside.append(annotation)
        rest.extend(getattr(annotation, "__args__", ()))
    inside.extend(base for base in model.__bases__ if base in models)
    return [inner for inner in inside if inner is not model]


def _reaches(
    model: type[BaseModel],
    touched: set[type[BaseModel]],
    embeds: Mapping[type[BaseModel], list[type[BaseModel]]],
    seen: set[type[BaseModel]],
) -> bool:
    if model in touched:
        return True
    seen.add(model)
    return any(
        inner not in seen and _reaches(inner, touched, embeds, seen) for inner in embeds[model]
    )
