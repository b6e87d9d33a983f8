"""A repository with the pipeline's code, a data repo with small plans, and simulated models."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import worker_plan
from prompt_lab import dataset
from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.populate import populate
from prompt_lab.progress import Lines
from prompt_lab.source import SourceRequest, offers, samples
from self_improve.code import patch
from self_improve.demo import weakened
from self_improve.iteration.command_line import main
from tools.code_and_lab import CodeAndLab
from worker_plan.steps.identify_potential_levers import LEVERS_SYSTEM_PROMPT

STEP = "identify_potential_levers"
SURFACE = f"worker_plan.steps.{STEP}:LEVERS_SYSTEM_PROMPT"
MODELS = "sim-strong,sim-weak,sim-verbose"
GOOD = LEVERS_SYSTEM_PROMPT


WEAK = weakened(GOOD)


@dataclass(frozen=True)
class IterationSite(CodeAndLab):
    """What an iteration works on: the code's repository, the data repo, and files of texts."""

    def words(self, text: str, *more: str, models: str = MODELS) -> list[str]:
        """Return the words of a command that tests `text`."""
        path = self.home / "candidate.txt"
        path.write_text(text, encoding="utf-8")
        return [
            "--step", STEP, "--models", models, "--prompt", f"LEVERS_SYSTEM_PROMPT={path}",
            "--repo", str(self.code), "--prompt-lab-dir", str(self.layout.root), *more,
        ]  # fmt: skip

    def run(self, text: str, *more: str, models: str = MODELS) -> int:
        """Test `text` in this process."""
        return main(self.words(text, *more, models=models))

    def phase(self, name: str, number: int = 0) -> dict[str, Any]:
        """Return the result of a phase of an iteration."""
        path = self.layout.iteration(number, STEP) / "phases" / f"{name}.json"
        result: dict[str, Any] = json.loads(path.read_text())
        return result


def git(folder: Path, *words: str) -> str:
    """Return the output of git."""
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@x", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture(scope="session")
def lab_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data repo with the bundled sample plans."""
    root = tmp_path_factory.mktemp("template") / "lab"
    init(root)
    layout = Layout(root)
    sample_plans = offers(
        samples(), SourceRequest(split=None, plans=()), layout, dataset.load(layout)
    )
    populate(layout, sample_plans, most_bytes=100_000_000, listener=Lines())
    return root


@pytest.fixture
def make_site(
    tmp_path: Path, lab_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], IterationSite]:
    """Return a function that creates a site whose code has a given prompt."""
    monkeypatch.delenv("PROMPT_LAB_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(prompt: str) -> IterationSite:
        site = IterationSite(tmp_path)
        package = Path(worker_plan.__file__).parent
        shutil.copytree(
            package, site.code / "worker_plan", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name, change in patch.patched(site.code, {SURFACE: prompt}).items():
            (site.code / name).write_bytes(change.after)
        git(tmp_path, "init", "--quiet", "--initial-branch=main", str(site.code))
        git(site.code, "add", ".")
        git(site.code, "commit", "--quiet", "-m", "The pipeline")
        shutil.copytree(lab_template, site.layout.root, symlinks=True)
        return site

    return make
