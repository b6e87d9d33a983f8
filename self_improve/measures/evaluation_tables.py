"""An evaluation for the terminal, for a page in Markdown, and as a table of all its cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from model_gateway.counts import counted
from prompt_lab import markup
from prompt_lab.record import Evidence
from prompt_lab.tables import aligned, number
from self_improve.measures.evaluation import Evaluation, Row

HEAD = ("measure", "better", "weight", "mean", "spread", "cells", "worst model", "worst plan")
CSV_HEAD = (
    "run", "model", "plan", "repeat", "succeeded", "partial", "failure_kind", "measure", "value",
)  # fmt: skip
_WIDEST = 34
_RIGHT = frozenset({2, 3, 4, 5})


def text(evaluation: Evaluation) -> str:
    """Return the evaluation as a table for a terminal."""
    rows = aligned([HEAD, *map(_cells, evaluation.rows)], right=_RIGHT, rule=True)
    return "\n".join([*_title(evaluation), "", *rows, "", *_notes(evaluation)])


def markdown(evaluation: Evaluation) -> str:
    """Return the evaluation as a page in Markdown."""
    title, *rest = _title(evaluation)
    return "\n\n".join(
        [
            f"## {markup.line(title)}",
            *map(markup.line, rest),
            markup.table(HEAD, map(_cells, evaluation.rows), right=_RIGHT),
            markup.bullets(_notes(evaluation)) + "\n",
        ]
    )


def table(evaluation: Evaluation) -> str:
    """Return every value of every cell as CSV; a cell without values has one row without."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for run in evaluation.runs:
        for cell in run.cells:
            head = [
                str(run.path), cell.model, cell.plan, cell.repeat, cell.succeeded, cell.partial,
                cell.failure_kind,
            ]  # fmt: skip
            writer.writerows([*head, *pair] for pair in cell.values.items() or [("", "")])
    return out.getvalue()


def _title(evaluation: Evaluation) -> Iterator[str]:
    cells, runs = evaluation.cells, evaluation.runs
    done = sum(cell.succeeded for cell in cells)
    label = "SIMULATED " if evaluation.evidence is Evidence.simulated else ""
    head = f"{label}{evaluation.rubric.step} · rubric {evaluation.rubric.version}"
    of_all = f"{done} of {counted(len(cells), 'cell')}"
    yield f"{head} · {counted(len(runs), 'run')} · {of_all} succeeded"
    why = f" ({'; '.join(evaluation.reasons)})" if evaluation.reasons else ""
    yield f"evidence: {evaluation.evidence}{why}"


def _notes(evaluation: Evaluation) -> Iterator[str]:
    for run in evaluation.runs:
        parts = [f"{name} {number(value)}" for name, value in sorted(run.summary.items())]
        yield f"{run.model or run.path.name}: {' · '.join(parts) or 'no cells'}"


def _cells(row: Row) -> list[str]:
    use = row.use
    return [
        use.id, use.direction, f"{use.weight:.2f}" if use.weight else "–", number(row.mean),
        number(row.spread), str(row.cells), _worst(row.worst_model), _worst(row.worst_plan),
    ]  # fmt: skip


def _worst(worst: tuple[str, float] | None) -> str:
    return "–" if worst is None else f"{_short(worst[0])} {number(worst[1])}"


def _short(name: str) -> str:
    return name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"
