"""Phase 0: the facts of an iteration, and the files that agents may read. No opinions."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.record import (
    CHANGE,
    FAILED_ATTEMPTS,
    MEASURES,
    META,
    PREVIOUS,
    RUBRIC,
    SOURCE,
    VERDICT,
    Record,
)
from model_gateway.foreign_files import read_text
from prompt_lab.atomic import json_text
from prompt_lab.layout import Layout, iterations, step_of
from prompt_lab.scores import Scores


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts before any agent looks.

    `before` and `after` are the directories of the runs, `outputs` the artifacts that agents
    should read first. `measures` is Markdown, `verdict` the evaluator's, `source` the step's
    file, `change` the diff. `commits` name the code of both sides if no iteration does.
    """

    step: str
    title: str
    description: str
    pull_request: str
    evidence: str
    before: Sequence[Path]
    after: Sequence[Path]
    outputs: Sequence[Path]
    measures: str
    verdict: Mapping[str, Any]
    rubric: str
    source: str
    change: str
    constraints: Sequence[str] = ()
    commits: Mapping[str, str] = field(default_factory=dict)


def prepare(layout: Layout, path: Path, facts: Facts) -> Record:
    """Write the facts of an iteration into its directory; existing files stay.

    Raises:
        AnalysisError: the directory holds other facts.
        OSError: the data repo cannot be written.
    """
    record = Record(layout, path)
    record.write(MEASURES, facts.measures)
    record.write(VERDICT, json_text(facts.verdict, sort_keys=True))
    record.write(RUBRIC, facts.rubric)
    record.write(CHANGE, facts.change)
    record.write(SOURCE, facts.source)
    failed = Scores(layout).failed(facts.step)
    if failed and not (path / FAILED_ATTEMPTS).exists():
        rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in failed)
        record.write(FAILED_ATTEMPTS, rows)
    previous = latest_synthesis(layout, facts.step, before=path)
    if previous is not None and not (path / PREVIOUS).exists():
        record.write(PREVIOUS, read_text(previous))
    meta = {
        "step": facts.step,
        "title": facts.title,
        "description": facts.description,
        "pull_request": facts.pull_request,
        "evidence": facts.evidence,
        "constraints": list(facts.constraints),
        "runs": {"before": _names(layout, facts.before), "after": _names(layout, facts.after)},
        "outputs": _names(layout, facts.outputs),
        **({"commits": dict(facts.commits)} if facts.commits else {}),
    }
    record.write(META, json_text(meta, sort_keys=True))
    return record


def latest_synthesis(layout: Layout, step: str, *, before: Path | None = None) -> Path | None:
    """Return the page of the step's latest synthesis, other than that of `before`."""
    pages = [
        page
        for _, path in iterations(layout)
        if step_of(path) == step and path != before
        for page in path.glob("synthesis_*.md")
    ]
    return pages[-1] if pages else None


def main(words: Sequence[str] | None = None) -> int:
    """Run only this phase and return the exit code."""
    # It measures, which is above this package in the contract: it is named and not imported.
    module = importlib.import_module("self_improve.iteration.prepare_analysis")
    run: Callable[[Sequence[str] | None], int] = module.main
    return run(words)


def _names(layout: Layout, paths: Sequence[Path]) -> list[str]:
    top = layout.root.resolve()
    return [path.resolve().relative_to(top).as_posix() for path in paths]


if __name__ == "__main__":
    raise SystemExit(main())
