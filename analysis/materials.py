"""The files an agent may read: a fixed list, so that no path it invents is ever opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import AnalysisError
from model_gateway.foreign_files import read_bytes, resolved

_LARGEST = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Materials:
    """File names as agents see them, and their paths."""

    files: Mapping[str, Path]

    def names(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self.files)

    def text(self, name: str) -> str | None:
        """Return the text of a listed file, or None for any other name or an unreadable file."""
        path = self.files.get(name)
        if path is None:
            return None
        try:
            return read_bytes(path, most=_LARGEST).decode("utf-8", "replace")
        except OSError:
            return None

    def lines(self, name: str) -> list[str] | None:
        """Return the lines of a listed file; line 1 is the first."""
        text = self.text(name)
        return None if text is None else text.splitlines()


def within(root: Path, names: Iterable[str]) -> Materials:
    """Return files below `root` as materials, by their names relative to it.

    Raises:
        AnalysisError: a name leads out of `root`.
    """
    top = resolved(root)
    files = {}
    for name in names:
        path = resolved(top / name)
        if not path.is_relative_to(top):
            raise AnalysisError(f"{name} leads out of {root}.")
        files[name] = path
    return Materials(files=files)
