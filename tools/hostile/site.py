"""A data repo and a pipeline under git for hostile campaigns, and commands on them."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_lab import dataset
from prompt_lab.init import init
from prompt_lab.populate import populate
from prompt_lab.progress import Lines
from prompt_lab.source import SourceRequest, offers, samples
from self_improve.code import git, patch
from self_improve.demo import CONSTANT, STEP, SURFACE, reworded, weakened
from self_improve.host import contract
from tools.code_and_lab import CodeAndLab
from worker_plan.steps.identify_potential_levers import LEVERS_SYSTEM_PROMPT

GOOD = LEVERS_SYSTEM_PROMPT
WEAK = weakened(GOOD)
FAST = ("--skip-downstream", "--skip-spot-check")
SLOW_MODEL = "slow"
LONGEST = 600.0
"""Seconds. No command of a campaign takes longer; one that does hangs."""
_AUTHOR = ("-c", "user.name=n", "-c", "user.email=n@localhost")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code (negative: the signal that killed it), and its words."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class HostileSite(CodeAndLab):
    """A pipeline's repository and a data repo in `home`, with as few plans as will do."""

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of commands: that of this process, with a slow model."""
        inherited = {n: v for n, v in os.environ.items() if n not in {"PROMPT_LAB_DIR", "PLAN"}}
        return {
            **inherited, "PLUMBLINE_LLM_CONFIG": str(self.home / "llm_config"),
            "XDG_CACHE_HOME": str(self.home / "cache"), **(more or {}),
        }  # fmt: skip

    def prompt(self, text: str, name: str = "candidate") -> str:
        """Return `--prompt`'s value for a text."""
        path = self.home / f"{name}.txt"
        path.write_text(text, encoding="utf-8")
        return f"{CONSTANT}={path}"

    def iterate(self, *more: str, model: str = "sim-strong") -> list[str]:
        """Return the words of an iteration."""
        return [
            sys.executable, "-m", "self_improve.iteration", "--step", STEP, "--models", model,
            "--repo", str(self.code), "--prompt-lab-dir", str(self.layout.root), *more,
        ]  # fmt: skip

    def branch(self, name: str, text: str) -> str:
        """Commit a text on a branch of the pipeline's repository; return its commit."""
        git.run(self.code, "checkout", "--quiet", "-b", name, "main")
        for file, change in patch.patched(self.code, {SURFACE: text}).items():
            (self.code / file).write_bytes(change.after)
        git.run(self.code, *_AUTHOR, "commit", "--quiet", "-a", "-m", f"The branch {name}")
        commit = git.run(self.code, "rev-parse", "HEAD")
        git.run(self.code, "checkout", "--quiet", "main")
        return commit

    def run(self, words: Sequence[str], more: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end."""
        return ended(self.start(words, more))

    def start(
        self,
        words: Sequence[str],
        more: Mapping[str, str] | None = None,
        *,
        standard_input: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        """Start a command in a session of its own."""
        return subprocess.Popen(
            list(words), cwd=contract.own_code(), env=self.environment(more), text=True,
            stdin=standard_input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, errors="replace",
        )  # fmt: skip

    def start_with_input(self, words: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command that waits for a word on its standard input."""
        return self.start(words, standard_input=subprocess.PIPE)


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command; one that hangs is killed, and its exit code is that of the signal."""
    try:
        out, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\nIt hung for {LONGEST:g} s."
    return Ended(code=process.returncode, out=out, err=err)


def make_template(home: Path, *, plans: int = 1) -> HostileSite:
    """Return a site with a good prompt and a few of the bundled sample plans."""
    site = HostileSite(home)
    init(site.layout.root)
    layout = site.layout
    sample_plans = offers(
        samples(), SourceRequest(split=None, plans=()), layout, dataset.load(layout)
    )
    with contextlib.redirect_stdout(io.StringIO()):
        populate(layout, sample_plans, most_bytes=100_000_000, listener=Lines())
    for plan in sorted(p for p in layout.split("train").iterdir() if p.is_dir())[plans:]:
        shutil.rmtree(plan)
    package = contract.own_code() / "worker_plan"
    shutil.copytree(
        package, site.code / "worker_plan", ignore=shutil.ignore_patterns("__pycache__")
    )
    git.run(home, "init", "--quiet", "--initial-branch=main", str(site.code))
    git.run(site.code, "add", ".")
    git.run(site.code, *_AUTHOR, "commit", "--quiet", "-m", "The pipeline")
    config = home / "llm_config"
    config.mkdir()
    (config / f"{SLOW_MODEL}.toml").write_text(
        f'name = "{SLOW_MODEL}"\nprovider = "simulated"\nmodel_id = "simulated/strong"\n'
        'workers = 2\noptions = { persona = "strong", latency_seconds = 0.1 }\n'
        "price = { input = 0, output = 0 }\n"
    )
    return site


def copied(template: HostileSite, home: Path) -> HostileSite:
    """Return a fresh copy of a site."""
    shutil.copytree(template.home, home, symlinks=True)
    return HostileSite(home)


def reworded_texts(count: int) -> list[str]:
    """Return different texts that all are worth an iteration."""
    return [reworded(GOOD) + f"\nKeep to what the plan says, point {n}.\n" for n in range(count)]
