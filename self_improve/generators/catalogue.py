"""The generators, found from the files: a module that holds `GENERATOR` is one."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from dataclasses import dataclass

from self_improve import generators
from self_improve.errors import UsageError
from self_improve.generators.trial import Generator


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One generator: its name, what it is in a line, and all that its docstring tells."""

    name: str
    summary: str
    told: str


def listed() -> list[Listed]:
    """Return all generators by name."""
    return [_told(name) for name in sorted(_modules())]


def make(name: str) -> Generator:
    """Return a new generator.

    Raises:
        UsageError: there is none of that name; the message names the nearest.
    """
    modules = _modules()
    if name not in modules:
        near = difflib.get_close_matches(name, modules, n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(
            f"There is no generator {name!r}.{hint} There are: {', '.join(sorted(modules))}."
        )
    made: Generator = importlib.import_module(modules[name]).GENERATOR()
    return made


def _modules() -> dict[str, str]:
    """Return the module of each generator by its name; all modules here are light to import."""
    found = {}
    for info in pkgutil.iter_modules(generators.__path__):
        module = f"{generators.__name__}.{info.name}"
        kind = getattr(importlib.import_module(module), "GENERATOR", None)
        if kind is not None:
            found[str(kind.name)] = module
    return found


def _told(name: str) -> Listed:
    doc = (importlib.import_module(_modules()[name]).__doc__ or "").strip()
    return Listed(name=name, summary=doc.splitlines()[0], told=doc)
