"""The long commands that are killed: their words on a site, and what must be left of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prompt_lab.layout import Layout, runs
from prompt_lab.scores import Scores
from self_improve.demo import STEP
from tools.hostile.concurrency import damage, damaged_runs, unclean
from tools.hostile.site import FAST, SLOW_MODEL, HostileSite, reworded_texts

_AGENT = """#!{python}
import json, pathlib, sys, time
sys.stdin.read()
time.sleep({seconds})
row = json.dumps({{"findings": [], "stance": "undecided", "reason": "Nothing to say."}})
if {name!r} == "codex":
    pathlib.Path(sys.argv[sys.argv.index("--output-last-message") + 1]).write_text(row)
else:
    print(json.dumps({{"result": row, "total_cost_usd": 0.01, "usage": {{"input_tokens": 9}}}}))
"""


@dataclass(frozen=True, kw_only=True)
class LongCommand:
    """A long command: its words on a site, its good exit codes, and what it must have left.

    `repeats` says that the same command does something new after its end.
    """

    words: Callable[[HostileSite], list[str]]
    codes: frozenset[int]
    check: Callable[[HostileSite], Iterator[str]]
    repeats: bool = False


def _iteration(*more: str) -> LongCommand:
    def words(site: HostileSite) -> list[str]:
        source = ["--prompt", site.prompt(reworded_texts(1)[0])]
        return site.iterate(*source, *FAST, *more, model=SLOW_MODEL)

    return LongCommand(words=words, codes=frozenset({0, 1}), check=lambda site: damage(site, 1))


def _branch(site: HostileSite) -> list[str]:
    if not (site.home / "branched").exists():
        site.branch("their/change", reworded_texts(1)[0])
        (site.home / "branched").touch()
    return site.iterate(
        "--branch", "their/change", *FAST, "--skip-analysis", model=SLOW_MODEL
    )  # fmt: skip


def _with_agents(site: HostileSite) -> list[str]:
    folder = site.home / "bin"
    folder.mkdir(exist_ok=True)
    for name in ("claude", "codex"):
        path = folder / name
        path.write_text(_AGENT.format(python=sys.executable, name=name, seconds=0.3))
        path.chmod(0o755)
    words = _iteration("--analyse", "always", "--agents", "claude,codex").words(site)
    return ["env", f"PATH={folder}{os.pathsep}{os.environ.get('PATH', '')}", *words]


def _optimizer(site: HostileSite) -> list[str]:
    return [
        sys.executable, "-m", "self_improve.optimizer", "--stages", "1", "--steps", STEP,
        "--models", SLOW_MODEL, "--force", "--skip-analysis", *FAST, "--repo", str(site.code),
        "--prompt-lab-dir", str(site.layout.root),
    ]  # fmt: skip


def _optimized(site: HostileSite) -> Iterator[str]:
    board = [(row.iteration, row.candidate) for row in Scores(site.layout).rows(STEP)]
    if len(board) != len(set(board)):
        yield f"the scoreboard has {board}"
    yield from damaged_runs(site.layout)
    yield from unclean(site.layout)


def _full_plan(site: HostileSite) -> list[str]:
    return [
        sys.executable, "-m", "self_improve.full_plan", "--model", "sim-strong", "--split", "train",
        "--repo", str(site.code), "--prompt-lab-dir", str(site.layout.root),
    ]  # fmt: skip


def _drift(site: HostileSite) -> list[str]:
    if not runs(site.layout):
        site.run([
            sys.executable, "-m", "self_improve.runner", "--step", STEP, "--model", SLOW_MODEL,
            "--repeats", "3", "--code", str(site.code), "--prompt-lab-dir", str(site.layout.root),
        ])  # fmt: skip
    return [
        sys.executable, "-m", "self_improve.rollout", "drift", "--against", "0", "--code",
        str(site.code), "--prompt-lab-dir", str(site.layout.root),
    ]  # fmt: skip


def _runner(site: HostileSite) -> list[str]:
    return [
        sys.executable, "-m", "self_improve.runner", "--step", STEP, "--model", SLOW_MODEL,
        "--repeats", "6", "--code", str(site.code), "--prompt-lab-dir", str(site.layout.root),
    ]  # fmt: skip


def _checked_run(site: HostileSite) -> Iterator[str]:
    yield from damaged_runs(site.layout)
    if len(runs(site.layout)) != 1:
        yield f"{len(runs(site.layout))} runs are there, not one"


def _checked_drift(site: HostileSite) -> Iterator[str]:
    yield from damaged_runs(site.layout)
    if len(runs(site.layout)) != 2:
        yield f"{len(runs(site.layout))} runs are there, not that of the baseline and one more"


def _init(site: HostileSite) -> list[str]:
    return [sys.executable, "-m", "prompt_lab", "init", str(site.home / "new"), "--samples"]


def _initialized(site: HostileSite) -> Iterator[str]:
    layout = Layout(site.home / "new")
    yield from unclean(layout)
    plans = [path for path in layout.split("train").iterdir() if path.is_dir()]
    if len(plans) != 5:
        yield f"{len(plans)} of 5 train plans are there"


KINDS: dict[str, LongCommand] = {
    "iterate --prompt": _iteration("--skip-analysis"),
    "iterate --branch": LongCommand(
        words=_branch, codes=frozenset({0, 1}), check=lambda site: damage(site, 1)
    ),
    "iterate with agents": LongCommand(
        words=_with_agents, codes=frozenset({0, 1}), check=lambda site: damage(site, 1)
    ),
    "optimize": LongCommand(words=_optimizer, codes=frozenset({0}), check=_optimized),
    "full-plan": LongCommand(words=_full_plan, codes=frozenset({0, 1}), check=_optimized),
    "run": LongCommand(words=_runner, codes=frozenset({0}), check=_checked_run),
    "rollout drift": LongCommand(
        words=_drift, codes=frozenset({0, 1, 4}), check=_checked_drift, repeats=True
    ),
    "lab init --samples": LongCommand(words=_init, codes=frozenset({0}), check=_initialized),
}
