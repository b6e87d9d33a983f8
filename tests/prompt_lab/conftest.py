"""An empty data repo, real zips, and a git that knows nothing of this machine."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from prompt_lab import dataset
from prompt_lab.dataset import Dataset
from prompt_lab.layout import VARIABLE, Layout

PLAN = {
    "001-2-plan.txt": "Build a lighthouse.",
    "002-10-potential_levers.json": '[{"name": "Site"}]',
    "usage_metrics.jsonl": '{"tokens": 1}\n',
}
"""The smallest honest plan that the tests need."""

RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "baseline"


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sizes: list[int | None] = []

    def began(self, called: str, size: int | None) -> None:
        """Keep the size."""
        self.sizes.append(size)

    def received(self, count: int) -> None:
        """Pass over it."""

    def message(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)


def make_zip(path: Path, members: Mapping[str, str | bytes] = PLAN) -> Path:
    """Write a zip of these members and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below `folder`, those of git aside."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [VARIABLE, *(n for n in os.environ if n.startswith("GIT_"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def lab(tmp_path: Path) -> Layout:
    """Return a data repo that holds nothing but its dataset.json."""
    layout = Layout(tmp_path / "lab")
    layout.root.mkdir()
    dataset.save(layout, Dataset())
    return layout
