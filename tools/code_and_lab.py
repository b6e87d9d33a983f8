"""A pipeline's repository and a data repo beside each other, for tests and campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prompt_lab.layout import Layout


@dataclass(frozen=True)
class CodeAndLab:
    """Both in `home`."""

    home: Path

    @property
    def code(self) -> Path:
        """The repository of the pipeline's code."""
        return self.home / "code"

    @property
    def layout(self) -> Layout:
        """The data repo."""
        return Layout(self.home / "lab")
