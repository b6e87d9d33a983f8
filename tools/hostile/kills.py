"""Kills and interrupts every long command at random moments, and runs it again."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from model_gateway import temporary
from model_gateway.counsel import PROGRAMS
from model_gateway.jsonl import read_rows
from prompt_lab.layout import Layout, runs
from prompt_lab.record import ATTEMPTS
from tools.hostile.long_commands import KINDS, LongCommand
from tools.hostile.row import Row
from tools.hostile.site import (
    Ended,
    HostileSite,
    copied,
    ended,
    make_template,
)

KILLS = 4
"""How often one command is killed at most before it may run to its end."""
_LAST_WORDS = 20.0


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Kill each command about `size` times, and interrupt it; yield a row for each."""
    with temporary.opened("kills") as folder:
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
        self, site: HostileSite, command: LongCommand, chance: random.Random, most: int
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
