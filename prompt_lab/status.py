"""The status of a data repo: its plans and runs, disk use, and what to do next."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_gateway.counts import counted, tally
from model_gateway.invocation import typed
from model_gateway.jsonl import read_rows
from prompt_lab import dataset
from prompt_lab.layout import SPLITS, Layout, runs
from prompt_lab.progress import readable
from prompt_lab.record import EVENTS, Run, RunCell

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class PlanStatus:
    """One baseline plan: its record in dataset.json and its files."""

    plan: str
    listed: bool
    files: int
    files_recorded: int | None
    zip: bool

    @property
    def remark(self) -> str:
        """What is unusual about the plan, or nothing."""
        if not self.listed:
            return "not in dataset.json"
        if not self.files:
            return "missing"
        if self.files_recorded is None:
            return "not recorded yet"
        if self.files != self.files_recorded:
            return f"had {counted(self.files_recorded, 'file')} when it was added"
        return "" if self.zip else "without its zip"


@dataclass(frozen=True, kw_only=True)
class StepStatus:
    """The runs of one step, and their cells by outcome.

    Older runs have no mark of completeness and count as `unmarked`, not as finished.
    """

    step: str
    runs: int
    finished: int
    unfinished: int
    unmarked: int
    empty: int
    cells_ok: int
    cells_failed: int
    cells_unfinished: int


@dataclass(frozen=True, kw_only=True)
class Status:
    """The whole status; sizes are in bytes on the disk."""

    root: str
    splits: dict[str, list[PlanStatus]]
    steps: list[StepStatus]
    unreadable: list[str]
    sizes: dict[str, int]
    next: list[str]


def status(layout: Layout) -> Status:
    """Read the data repo; damaged runs are named, and the others still counted.

    Raises:
        LabError: dataset.json cannot be used.
    """
    splits = {split: _plans(layout, split) for split in SPLITS}
    counts: dict[str, Counter[str]] = {}
    unreadable: list[str] = []
    unfinished: list[str] = []
    for path in runs(layout):
        run, name = Run(path), str(path.relative_to(layout.root))
        facts = _facts(run)
        if not run.meta or facts["unreadable"]:
            unreadable.append(name)
        if facts["unfinished"]:
            unfinished.append(name)
        counts.setdefault(run.step, Counter()).update(facts)
    return Status(
        root=str(layout.root),
        splits=splits,
        steps=[_step(step, count) for step, count in sorted(counts.items())],
        unreadable=unreadable,
        sizes={
            path.name: sum(_sizes(path)) for path in sorted(layout.root.iterdir()) if path.is_dir()
        },
        next=list(_next(layout, splits, ran=bool(counts), unfinished=unfinished)),
    )


def text(status: Status) -> str:
    """Return the status as text for people."""
    return "\n".join(_lines(status))


def _plans(layout: Layout, split: str) -> list[PlanStatus]:
    listed = {plan.name: plan for s, plan in dataset.load(layout).rows() if s == split}
    folder = layout.split(split)
    names = {p.name for p in folder.iterdir() if p.is_dir()} if folder.is_dir() else set()
    return [
        PlanStatus(
            plan=name,
            listed=name in listed,
            files=sum(1 for p in layout.plan(split, name).rglob("*") if p.is_file()),
            files_recorded=listed[name].files if name in listed else None,
            zip=layout.archive(split, name).is_file(),
        )
        for name in sorted(names | set(listed))
    ]


def _facts(run: Run) -> Counter[str]:
    try:
        rows = run.rows()
        unreadable = 0
    except OSError:
        rows, unreadable = {}, 1
    unfinished = not run.finished
    unmarked = not unfinished and "schema_version" not in run.meta
    ok = sum(row.get("status") == "ok" for row in rows.values())
    return Counter(
        runs=1,
        finished=int(not unfinished and not unmarked),
        unfinished=int(unfinished),
        unmarked=int(unmarked),
        empty=int(not rows),
        cells_ok=ok,
        cells_failed=len(rows) - ok,
        cells_unfinished=len(_begun(run) - set(rows)) if unfinished or unmarked else 0,
        unreadable=unreadable,
    )


def _begun(run: Run) -> set[RunCell]:
    """Return the cells of a run: those in meta.json, or those that were started."""
    plans, repeats = run.meta.get("inputs"), run.meta.get("repeats")
    if isinstance(plans, dict) and isinstance(repeats, int):
        return {(plan, repeat) for plan in plans for repeat in range(repeats)}
    rows = read_rows(run.path / EVENTS)[0]
    return {(row["plan_name"], 0) for row in rows if isinstance(row.get("plan_name"), str)}


def _step(step: str, count: Counter[str]) -> StepStatus:
    fields = [field.name for field in dataclasses.fields(StepStatus) if field.name != "step"]
    return StepStatus(step=step, **{name: count[name] for name in fields})


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            # Another process may delete a file meanwhile.
            with suppress(FileNotFoundError):
                yield Path(parent, name).lstat().st_blocks * 512


def _next(
    layout: Layout, splits: dict[str, list[PlanStatus]], *, ran: bool, unfinished: list[str]
) -> Iterator[str]:
    here = f"--prompt-lab-dir {shlex.quote(str(layout.root))}"
    plans = [plan for split in splits.values() for plan in split]
    if not plans:
        yield f"Add plans: {typed('lab populate SOURCE')} {here} (or --samples)"
        return
    if any(plan.listed and (not plan.files or not plan.zip) for plan in plans):
        yield f"Add the missing plans: {typed('lab populate')} {here}"
    if unfinished:
        named = ", ".join(unfinished[:_MOST_NAMED])
        yield f"Finish {counted(len(unfinished), 'run')} by running the commands again: {named}"
    if not ran:
        yield (
            f"Run a step: {typed('run')} --step identify_potential_levers "
            f"--model sim --split train {here}"
        )
    elif not unfinished:
        script = shlex.quote(str(layout.root / "run_optimization_iteration.py"))
        yield f"Improve a prompt: python {script} --help"


def _lines(status: Status) -> Iterator[str]:
    yield f"Data repo {status.root}"
    for split, plans in status.splits.items():
        files = counted(sum(plan.files for plan in plans), "file")
        yield f"\n{split}: {counted(len(plans), 'plan')}, {files}"
        width = max((len(plan.plan) for plan in plans), default=0)
        for plan in plans:
            remark = f"  ({plan.remark})" if plan.remark else ""
            yield f"  {plan.plan:{width}}  {plan.files:>4} files{remark}"
    yield f"\nruns: {sum(step.runs for step in status.steps)}"
    for step in status.steps:
        yield (
            f"  {step.step}: {counted(step.runs, 'run')} ("
            + tally(
                (step.finished, "finished"), (step.unfinished, "unfinished"),
                (step.unmarked, "older, not marked"),
            )
            + ")" + (f"; {step.empty} without any cell" if step.empty else "")
        )  # fmt: skip
        cells = tally(
            (step.cells_ok, "ok"), (step.cells_failed, "failed"),
            (step.cells_unfinished, "unfinished"),
        )  # fmt: skip
        yield f"    cells: {cells or 'none'}"
    if status.unreadable:
        named = ", ".join(status.unreadable[:_MOST_NAMED])
        count = counted(len(status.unreadable), "run")
        yield f"  {count} whose meta.json or outputs.jsonl cannot be read: {named}"
    sizes = [f"{name} {readable(size)}" for name, size in status.sizes.items() if size]
    yield f"\ndisk: {readable(sum(status.sizes.values()))} ({', '.join(sizes)})"
    for line in status.next:
        yield f"next: {line}"
