"""Runs commands side by side on one data repo, and looks for what they did to each other."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from model_gateway import temporary
from model_gateway.jsonl import read_rows
from prompt_lab.layout import Layout, iterations, number_of, runs
from prompt_lab.record import OUTPUTS, Run, changed_since_done
from prompt_lab.scores import BASELINE, Scores
from self_improve.code import git
from self_improve.demo import STEP
from tools.hostile.row import Row
from tools.hostile.site import (
    FAST,
    Ended,
    HostileSite,
    copied,
    ended,
    make_template,
    reworded_texts,
)

AT_ONCE = 4
_INIT = [sys.executable, "-m", "prompt_lab", "init"]
_FIRST_PUSH = """
import sys
from pathlib import Path
from self_improve.forge.local import LocalForge
sys.stdin.read(1)
print(LocalForge(Path(sys.argv[1])).base_commit(Path(sys.argv[2]), "main"))
"""
_COMMITS = """
import sys
from pathlib import Path
from model_gateway.jsonl import Appender
from prompt_lab.layout import Layout
from prompt_lab.repository import Repository
layout, name = Layout(Path(sys.argv[1])), sys.argv[2]
path = layout.analysis / f"{name}.jsonl"
sys.stdin.read(1)
with Appender(path) as file:
    for number in range(12):
        file.append({"number": number}, sync=True)
        if number % 3 == 2:
            Repository(layout).commit([layout.analysis], f"{name} {number}")
"""


def first_pushes(template: HostileSite, place: Path, _: random.Random) -> Iterator[str]:
    """Four processes push the base branch to a forge that does not exist yet."""
    words = [sys.executable, "-c", _FIRST_PUSH, str(place / "forge"), str(template.code)]
    results = _released([template.start_with_input(words) for _ in range(AT_ONCE)])
    commit = git.run(template.code, "rev-parse", "main")
    for one in results:
        if one.out.strip() != commit:
            yield f"a first push ended with {one.code}: {one.err.strip()[-200:]}"


def inits(template: HostileSite, place: Path, chance: random.Random) -> Iterator[str]:
    """Four `lab init` of one directory, which may exist already."""
    root = place / "lab"
    if chance.random() < 0.5:
        root.mkdir(parents=True)
    results = [ended(p) for p in [template.start([*_INIT, str(root)]) for _ in range(AT_ONCE)]]
    for one in results:
        if one.code != 0 or "Traceback" in one.err:
            yield f"lab init ended with {one.code}: {one.err.strip()[-200:]}"
    yield from unclean(Layout(root))
    if git.run(root, "rev-list", "--count", "HEAD") != "1":
        yield "lab init made more than one commit"
    if status := git.run(root, "status", "--porcelain"):
        yield f"lab init left {status}"


def commits(template: HostileSite, place: Path, _: random.Random) -> Iterator[str]:
    """Four writers commit and push, while another clone pushes to the same remote."""
    site = copied(template, place / "site")
    root, remote, clone = site.layout.root, place / "remote.git", place / "clone"
    git.run(place, "clone", "--quiet", "--bare", str(root), str(remote))
    git.run(place, "clone", "--quiet", str(remote), str(clone))
    git.run(root, "remote", "add", "shared", str(remote))
    names = [f"writer{number}" for number in range(AT_ONCE)]
    elsewhere = Layout(clone)
    words = [sys.executable, "-c", _COMMITS]
    processes = [site.start_with_input([*words, str(root), name]) for name in names]
    processes.append(site.start_with_input([*words, str(elsewhere.root), "elsewhere"]))
    for one in _released(processes):
        if one.code:
            yield f"a commit ended with {one.code}: {one.err.strip()[-300:]}"
    for name in names:
        rows, torn = read_rows(site.layout.analysis / f"{name}.jsonl")
        if torn or [row["number"] for row in rows] != list(range(12)):
            yield f"{name} lost rows: {len(rows)} of 12 are left, {torn} torn"
    yield from unclean(site.layout)
    listed = git.run(remote, "ls-tree", "-r", "--name-only", "main").split("\n")
    yield from (
        f"the remote lacks {name}"
        for name in [*names, "elsewhere"]
        if f"analysis/{name}.jsonl" not in listed
    )


def different_iterations(
    template: HostileSite, place: Path, chance: random.Random
) -> Iterator[str]:
    """Four iterations of different texts or branches on a fresh data repo."""
    site = copied(template, place / "site")
    texts = reworded_texts(AT_ONCE)
    words = []
    for number, text in enumerate(texts):
        if chance.random() < 0.3:
            site.branch(f"their/change-{number}", text)
            words.append(["--branch", f"their/change-{number}"])
        else:
            words.append(["--prompt", site.prompt(text, f"candidate{number}")])
    commands = [site.iterate(*one, *FAST, "--skip-analysis") for one in words]
    for one in [ended(p) for p in [site.start(command) for command in commands]]:
        if one.code not in {0, 1} or "Traceback" in one.err:
            yield f"an iteration ended with {one.code}: {one.err.strip()[-300:]}"
            return
    yield from damage(site, AT_ONCE)


def same_iterations(template: HostileSite, place: Path, _: random.Random) -> Iterator[str]:
    """Four times the same iteration: one does it, the others say so or find it finished."""
    site = copied(template, place / "site")
    command = site.iterate("--prompt", site.prompt(reworded_texts(1)[0]), *FAST, "--skip-analysis")
    results = [ended(p) for p in [site.start(command) for _ in range(AT_ONCE)]]
    for one in results:
        waited = one.code == 2 and "is doing this work" in one.err
        if "Traceback" in one.err or (one.code not in {0, 1} and not waited):
            yield f"an iteration ended with {one.code}: {one.err.strip()[-300:]}"
    if not any(one.code in {0, 1} for one in results):
        yield "nobody did the iteration"
    yield from damage(site, 1)


Campaign = Callable[[HostileSite, Path, random.Random], Iterator[str]]
KINDS: dict[str, tuple[Campaign, int]] = {
    "first pushes to a new local forge, 4 at once": (first_pushes, 4),
    "lab init, 4 at once": (inits, 4),
    "commits with a remote that moves, 5 at once": (commits, 1),
    "iterations on a fresh data repo, 4 at once": (different_iterations, 1),
    "the same iteration, 4 at once": (same_iterations, 1),
}
"""The kinds, and how many rounds of each make one run: the cheap ones are run more often."""


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Run `size` rounds of each kind, and yield a row for each."""
    with temporary.opened("hostile") as folder:
        template = make_template(_folder(Path(folder), "template"))
        for kind in (one for one in KINDS if re.search(only, one)):
            rounds, times = KINDS[kind]
            violations: list[str] = []
            for number in range(size * times):
                place = _folder(Path(folder), "round")
                chance = random.Random(f"{seed}/{kind}/{number}")
                violations += rounds(template, place, chance)
                shutil.rmtree(place)
            yield Row(kind=kind, runs=size * times, violations=tuple(violations))


def damage(site: HostileSite, count: int) -> Iterator[str]:
    """Yield what is wrong with a data repo after `count` iterations."""
    layout = site.layout
    begun = [path for _, path in iterations(layout)]
    if [number for number, _ in iterations(layout)] != list(range(count)):
        yield f"{count} iterations were begun, and these are there: {[p.name for p in begun]}"
    yield from (
        f"{path.name} is not finished"
        for path in begun
        if not (path / "phases/publish.json").is_file()
    )
    scores = Scores(layout)
    board = [(row.iteration, row.candidate) for row in scores.rows(STEP)]
    history = [(row["iteration"], row["candidate"]) for row in scores.history(STEP)]
    if len(set(board)) != count + 1 or len(board) != count + 1 or sorted(board) != sorted(history):
        yield f"the scoreboard has {board}, the history {history}"
    if [row.verdict for row in scores.rows(STEP)].count(BASELINE) != 1:
        yield "the step has not exactly one baseline on the scoreboard"
    pulls = sorted(p.name for p in (layout.forge / "pulls").glob("[0-9][0-9][0-9][0-9].md"))
    if pulls != [f"{number:04d}.md" for number in range(1, count + 1)]:
        yield f"the pull requests are {pulls}"
    yield from damaged_runs(layout)
    yield from unclean(layout)


def damaged_runs(layout: Layout) -> Iterator[str]:
    """Yield what is wrong with the runs of a data repo."""
    numbers = Counter(map(number_of, runs(layout)))
    yield from (f"the number {n} names {c} runs" for n, c in numbers.items() if c > 1)
    for path in runs(layout):
        run = Run(path)
        lines = [(row.get("name"), row.get("repeat")) for row in read_rows(path / OUTPUTS)[0]]
        if not run.finished or len(lines) != len(set(lines)):
            yield f"{path.name}: finished {run.finished}, rows {lines}"
        elif changed := changed_since_done(run):
            yield f"{path.name} was changed after its end: {changed}"
        answered = Counter((a.cell, a.key, a.repeat) for a in run.attempts() if a.status == "ok")
        yield from (f"{path.name}: {call} was answered {n} times"
                    for call, n in answered.items() if n > 1)  # fmt: skip


def unclean(layout: Layout) -> Iterator[str]:
    """Yield what is not committed, what git finds broken, and locks that were left."""
    folders = ("history", "scores", "analysis", "forge")
    status = git.run(layout.root, "status", "--porcelain", "--", *folders)
    if status:
        yield f"not committed: {status[:300]}"
    try:
        git.run(layout.root, "fsck", "--strict", "--no-dangling")
    except git.GitError as error:
        yield f"git fsck: {error}"
    left = [*(layout.root / ".git").rglob("*.lock"), *layout.root.glob(".git/plumbline*")]
    yield from (f"left: {path.relative_to(layout.root)}" for path in left)


def _released(processes: Sequence[subprocess.Popen[str]]) -> list[Ended]:
    """Let processes that wait for their input begin at the same moment."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go")
        process.stdin.flush()
    return [ended(process) for process in processes]


def _folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir()
    return path
