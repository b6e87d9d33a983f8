"""Imports what a host imports only inside functions, so that its texts are known early."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from self_improve.host.contract import Host


def load(host: Host) -> None:
    """Import the host's modules that functions of its loaded modules import, and so on.

    One that cannot be imported is left to the cell that needs it.
    """
    seen: set[str] = set()
    while fresh := [name for name in sys.modules if host.owns(name) and name not in seen]:
        seen.update(fresh)
        for name in [name for one in fresh for name in _imported(sys.modules[one])]:
            if host.owns(name) and name not in sys.modules:
                with suppress(Exception):
                    importlib.import_module(name)


def _imported(module: ModuleType) -> Iterator[str]:
    """Yield the names of the modules, and of what may be modules, that functions import."""
    path = getattr(module, "__file__", None)
    if path is None or not path.endswith(".py"):
        return
    for function in ast.walk(ast.parse(Path(path).read_bytes())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                relative = "." * node.level + (node.module or "")
                name = importlib.util.resolve_name(relative, module.__package__)
                yield name
                yield from (f"{name}.{alias.name}" for alias in node.names)
