"""The generators: each class with a literal `name` in a module of this folder is one."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from model_gateway.suggestions import did_you_mean
from self_improve import generators
from self_improve.errors import UsageError
from self_improve.search.trial import Generator

_NAME = re.compile(r'^    name = "([a-z0-9-]+)"$', re.MULTILINE)
_PARAGRAPH = re.compile(r"^([A-Z][a-z]+): (.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One generator: its name, a summary in a line, and its module's docstring."""

    name: str
    summary: str
    docstring: str

    @property
    def facts(self) -> dict[str, str]:
        """The paragraphs of the docstring by their first word: source, defaults, needs, costs."""
        paragraphs = (" ".join(part.split()) for part in self.docstring.split("\n\n")[1:])
        matches = (_PARAGRAPH.match(part) for part in paragraphs)
        return {match[1].lower(): match[2] for match in matches if match is not None}

    def to_row(self) -> dict[str, str]:
        """Return plain JSON values."""
        return {"name": self.name, "summary": self.summary, **self.facts}


def listed(names: Sequence[str] = ()) -> list[Listed]:
    """Return the generators of these names, or all; none is imported, since some need packages.

    Raises:
        UsageError: a name is unknown.
    """
    modules = _modules()
    for name in names:
        _require(name, modules)
    docs = {n: _docstring(source) for n, (_, source) in modules.items() if n in names or not names}
    return [Listed(name=n, summary=doc.splitlines()[0], docstring=doc) for n, doc in docs.items()]


def make(name: str) -> Generator:
    """Return a new generator.

    Raises:
        UsageError: the name is unknown; the message names the nearest.
    """
    modules = _modules()
    _require(name, modules)
    module = importlib.import_module(f"{generators.__name__}.{modules[name][0]}")
    [kind] = [one for one in vars(module).values() if getattr(one, "name", None) == name]
    generator: Generator = kind()
    return generator


def _require(name: str, names: Iterable[str]) -> None:
    if name not in names:
        hint = did_you_mean(name, names)
        raise UsageError(f"There is no generator {name!r}.{hint} There are: {', '.join(names)}.")


def _docstring(source: str) -> str:
    return (ast.get_docstring(ast.parse(source)) or "").strip()


def _modules() -> dict[str, tuple[str, str]]:
    """Return the module and the source of each generator, by the generator's name."""
    files = (file for file in resources.files(generators).iterdir() if file.name.endswith(".py"))
    sources = {f.name.removesuffix(".py"): f.read_text(encoding="utf-8") for f in files}
    names = ((n, module) for module, source in sources.items() for n in _NAME.findall(source))
    return {name: (module, sources[module]) for name, module in sorted(names)}
