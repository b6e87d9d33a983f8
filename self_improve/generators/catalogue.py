"""The generators, found from the files: a module that holds `GENERATOR` is one."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from model_gateway.suggestions import did_you_mean
from self_improve import generators
from self_improve.errors import UsageError
from self_improve.search.trial import Generator

_MARK = re.compile(r"^GENERATOR = ", re.MULTILINE)
_PARAGRAPH = re.compile(r"^([A-Z][a-z]+): (.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One generator: its name, what it is in a line, and all that its docstring tells."""

    name: str
    summary: str
    docstring: str

    @property
    def facts(self) -> dict[str, str]:
        """What the docstring tells by the word that its paragraph begins with, in small letters.

        `source`, `defaults`, `needs` and `costs` are there.
        """
        paragraphs = (" ".join(part.split()) for part in self.docstring.split("\n\n")[1:])
        found = (_PARAGRAPH.match(part) for part in paragraphs)
        return {match[1].lower(): match[2] for match in found if match is not None}

    def to_row(self) -> dict[str, str]:
        """Return plain JSON values."""
        return {"name": self.name, "summary": self.summary, **self.facts}


def listed(names: Sequence[str] = ()) -> list[Listed]:
    """Return the generators of these names, or all; none is imported, since some need packages.

    Raises:
        UsageError: there is none of a name.
    """
    found = _found()
    for name in names:
        _check(name, list(found))
    docs = {n: _docstring(source) for n, source in found.items() if n in names or not names}
    return [Listed(name=n, summary=doc.splitlines()[0], docstring=doc) for n, doc in docs.items()]


def make(name: str) -> Generator:
    """Return a new generator.

    Raises:
        UsageError: there is none of that name; the message names the nearest.
    """
    _check(name, list(_found()))
    module = importlib.import_module(f"{generators.__name__}.{name.replace('-', '_')}")
    made: Generator = module.GENERATOR()
    return made


def _check(name: str, known: Sequence[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known)
        raise UsageError(f"There is no generator {name!r}.{hint} There are: {', '.join(known)}.")


def _docstring(source: str) -> str:
    return (ast.get_docstring(ast.parse(source)) or "").strip()


def _found() -> dict[str, str]:
    """Return the source of each generator by its name, which is the module's with hyphens."""
    files = (file for file in resources.files(generators).iterdir() if file.name.endswith(".py"))
    sources = {file.name: file.read_text(encoding="utf-8") for file in files}
    return {
        name.removesuffix(".py").replace("_", "-"): source
        for name, source in sorted(sources.items())
        if _MARK.search(source)
    }
