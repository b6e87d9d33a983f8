"""Kills and interrupts every long command at random moments, and runs it again."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from model_gateway.counsel import PROGRAMS
from model_gateway.jsonl import read_rows
from prompt_lab.layout import Layout, runs
from prompt_lab.record import ATTEMPTS
from prompt_lab.scores import Scores
from self_improve.demo import STEP
from tools.hostile.concurrency import damage, damaged_runs, unclean
from tools.hostile.row import Row
from tools.hostile.site import (
    FAST,
    SLOW_MODEL,
    Ended,
    HostileSite,
    copied,
    ended,
    make_template,
    reworded_texts,
)

KILLS = 4
"""How often one command is killed at most before it may run to its end."""
_LAST_WORDS = 20.0
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
class Command:
    """A long command: its words on a site, its good exit codes, and what it must have left.

    `repeats` says that the same command does something new after its end.
    """

    words: Callable[[HostileSite], list[str]]
    codes: frozenset[int]
    check: Callable[[HostileSite], Iterator[str]]
    repeats: bool = False


def _iteration(*more: str) -> Command:
    def words(site: HostileSite) -> list[str]:
        source = ["--prompt", site.prompt(reworded_texts(1)[0])]
        return site.iterate(*source, *FAST, *more, model=SLOW_MODEL)

    return Command(words=words, codes=frozenset({0, 1}), check=lambda site: damage(site, 1))


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


KINDS: dict[str, Command] = {
    "iterate --prompt": _iteration("--skip-analysis"),
    "iterate --branch": Command(
        words=_branch, codes=frozenset({0, 1}), check=lambda site: damage(site, 1)
    ),
    "iterate with agents": Command(
        words=_with_agents, codes=frozenset({0, 1}), check=lambda site: damage(site, 1)
    ),
    "optimize": Command(words=_optimizer, codes=frozenset({0}), check=_optimized),
    "full-plan": Command(words=_full_plan, codes=frozenset({0, 1}), check=_optimized),
    "rollout drift": Command(
        words=_drift, codes=frozenset({0, 1, 4}), check=_checked_drift, repeats=True
    ),
    "lab init --samples": Command(words=_init, codes=frozenset({0}), check=_initialized),
}


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Kill each command about `size` times, and interrupt it; yield a row for each."""
    with tempfile.TemporaryDirectory(prefix="plumbline-kills-") as folder:
        home = Path(folder) / "template"
        home.mkdir()
        template = make_template(home)
        for kind in (one for one in KINDS if re.search(only, one)):
            violations: list[str] = []
            kills = number = 0
            while kills < size and number < size:
                chance = random.Random(f"{seed}/{kind}/{number}")
                site = copied(template, Path(folder) / "site")
                most = min(KILLS, size - kills)
                victim = _Campaign(site, KINDS[kind], chance, most)
                violations += victim.run()
                kills += victim.kills
                number += 1
                shutil.rmtree(site.home, ignore_errors=True)
            yield Row(kind=f"kills of {kind}", runs=kills, violations=tuple(violations))


class _Campaign:
    """One site, on which one command is killed again and again, and then runs to its end."""

    def __init__(
        self, site: HostileSite, command: Command, chance: random.Random, most: int
    ) -> None:
        self._site = site
        self._command = command
        self._chance = chance
        self._most = most
        self._seen: Counter[bytes] = Counter()
        self.kills = 0

    def run(self) -> Iterator[str]:
        """Kill, finish, repeat; yield every violation."""
        words = self._command.words(self._site)
        longest = 8.0
        for _ in range(self._most):
            process = self._site.start(words)
            began = time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                process.wait(self._chance.uniform(0.3, longest))
            yield from self._stop(process)
            longest = max(longest, (time.monotonic() - began) * 1.5)
            self._remember()
        done = self._site.run(words)
        if done.code not in self._command.codes or "Traceback" in done.err:
            yield f"after {self.kills} kills it ended with {done.code}: {done.err.strip()[-400:]}"
            return
        yield from self._lost()
        yield from self._command.check(self._site)
        yield from _counsel(self._site.layout, self.kills)
        if self._command.repeats:
            return
        before = self._answers()
        done = self._site.run(words)
        if done.code not in self._command.codes:
            yield f"once more, it ended with {done.code}: {done.err.strip()[-300:]}"
        if self._answers() != before:
            yield "once more, it asked for something again"

    def _stop(self, process: subprocess.Popen[str]) -> Iterator[str]:
        """Kill a command, alone or with its group, or interrupt it as a terminal does."""
        if process.poll() is not None:
            done = ended(process)
            if done.code not in self._command.codes:
                yield f"it ended with {done.code}: {done.err.strip()[-300:]}"
            return
        self.kills += 1
        way = self._chance.choice(["kill", "kill", "group", "interrupt"])
        family = psutil.Process(process.pid).children(recursive=True)
        if way == "kill":
            process.kill()
        else:
            kind = signal.SIGKILL if way == "group" else signal.SIGINT
            with suppress(ProcessLookupError):
                os.killpg(process.pid, kind)
        done = ended(process)
        if way == "interrupt" and done.code not in self._command.codes:
            yield from _impolite(done)
        _, left = psutil.wait_procs(family, timeout=_LAST_WORDS)
        left = [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        yield from (f"{way}: left running: {_called(one)}" for one in left)
        for one in left:
            with suppress(psutil.Error):
                one.kill()

    def _remember(self) -> None:
        """Note every whole row that is on disk now."""
        self._seen |= self._rows()

    def _lost(self) -> Iterator[str]:
        lost = self._seen - self._rows()
        if lost:
            yield f"{lost.total()} rows of journals were lost: {next(iter(lost))[:200]!r}"

    def _rows(self) -> Counter[bytes]:
        rows: Counter[bytes] = Counter()
        for path in self._journals():
            name = str(path.relative_to(self._site.home)).encode()
            rows.update(name + line for line in path.read_bytes().split(b"\n")[:-1])
        return rows

    def _answers(self) -> int:
        return sum(len(read_rows(path)[0]) for path in self._journals())

    def _journals(self) -> list[Path]:
        layout = self._site.layout
        results = [path for run in runs(layout) if (path := run / ATTEMPTS).is_file()]
        return [
            *results,
            *layout.analysis.glob("*/counsel/*.jsonl"),
            *layout.scores.glob("*.jsonl"),
        ]


def _counsel(layout: Layout, kills: int) -> Iterator[str]:
    """Yield which questions to models and programs were asked again after an answer."""
    for path in layout.analysis.glob(f"*/counsel/{ATTEMPTS}"):
        answered = Counter(
            (row["cell"], row["key"], row.get("repeat"), row["model"])
            for row in read_rows(path)[0]
            if row.get("status") == "ok"
        )
        yield from (f"{call} was answered {n} times" for call, n in answered.items() if n > 1)
    for path in layout.analysis.glob(f"*/counsel/{PROGRAMS}"):
        rows, _ = read_rows(path)
        said = Counter(json.dumps(row["ended"]) for row in rows if row.get("said") is not None)
        yield from (f"{one} was answered {n} times" for one, n in said.items() if n > 1)
        begun = sum("begun" in row for row in rows)
        if begun > len(said) + 2 * kills:
            yield f"programs were started {begun} times for {len(said)} answers and {kills} kills"


def _impolite(done: Ended) -> Iterator[str]:
    if done.code != 130 or "ame command" not in done.err or "Traceback" in done.err:
        yield f"interrupted, it ended with {done.code}: {done.err.strip()[-300:]}"


def _called(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())[:200]
    return str(process.pid)
