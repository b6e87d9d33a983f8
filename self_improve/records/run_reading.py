"""Reads runs, of today's form and of older ones, as cells with their replies and artifacts.

The record is never trusted: the last row of a cell counts, and a torn line is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prompt_lab import integrity
from prompt_lab.record import ATTEMPTS, Evidence, Run
from rubrics.rubric import Rubric
from self_improve.errors import UsageError
from self_improve.records import run_facts
from self_improve.records.attempt_index import AttemptIndex
from self_improve.records.cell_reading import CellReading
from self_improve.records.soundness import Soundness, refusals, soundness


@dataclass(frozen=True, kw_only=True)
class RunReading:
    """One run as its record shows it."""

    run: Run
    rubric: Rubric
    evidence: Evidence
    reasons: tuple[str, ...]
    cells: tuple[CellReading, ...] = field(repr=False)
    soundness: Soundness

    def __iter__(self) -> Iterator[CellReading]:
        return iter(self.cells)


def read(path: Path, rubric: Rubric, so_far: Mapping[str, Any] | None = None) -> RunReading:
    """Return the run in the directory `path`.

    Args:
        path: its directory.
        rubric: what is measured of it.
        so_far: what `surfaces.json` would say now of a run that is not finished. Without it the
            step's own texts could not be separated from the plan's, and its cells would differ
            from those of a finished run.

    Raises:
        UsageError: there is no run, or it is of another step than the rubric.
    """
    run = Run(path)
    if not run.meta:
        raise UsageError(f"{path} is not a run: it has no readable meta.json.")
    if run.step != rubric.step:
        raise UsageError(
            f"{path} is a run of {run.step}, and the rubric is for {rubric.step}: "
            "give the runs of one step only."
        )
    is_older = integrity.is_older(run)
    index = None if is_older else AttemptIndex(path / ATTEMPTS)
    sent = [] if is_older else run_facts.sent_surfaces(run, so_far)
    # The longest first, so that none is cut out of another.
    prompts = sorted(
        {s["text"] for s in sent if s["kind"] == run_facts.CONSTANT}, key=lambda t: (-len(t), t)
    )
    prompt_chars = sum(len(surface["text"]) for surface in sent) or None
    partial = run_facts.recovered_plans(path) if is_older else frozenset()
    cells = tuple(
        CellReading(
            plan=plan,
            model=run.model,
            repeat=repeat,
            row=row,
            folder=run.outputs(plan, repeat),
            rubric=rubric,
            attempts=index,
            prompts=prompts,
            prompt_chars=prompt_chars,
            partial=plan in partial or row.get("partial") is True,
            has_tokens=not is_older or run.meta.get("workers") == 1,
        )
        for (plan, repeat), row in sorted(run.rows().items())
        if plan and Path(plan).name == plan and plan != ".."
    )
    evidence, reasons = run_facts.evidence(run, is_older=is_older)
    state = soundness(run)
    if faults := (*state.faults, *state.missing):
        evidence = Evidence.weakest([evidence, Evidence.historical])
        reasons = (*refusals(path, faults), *reasons)
    return RunReading(
        run=run, rubric=rubric, evidence=evidence, reasons=reasons, cells=cells, soundness=state
    )
