"""Plants damages in every step's own artifacts, and shows whether its rubric notices them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rubrics import load
from tools.damage_outcome import Outcome
from tools.damage_panel import MODELS, PANEL, PLANS, outcomes, sources

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rubrics.md"
BEGIN, END = "<!-- power -->", "<!-- end of power -->"
TEXT = """\
## What the rubrics notice

A rubric points the right way if it falls when what a step wrote is damaged. `make rubric-power`
plants each of these damages in the step's own artifacts, in the bundled plans and in recorded
ones, in 20 %, 40 % and all of the items, and takes the verdict on {pairs} pairs ({models} cells of
each plan, in which other items are damaged). A single object is damaged text by text. At no share
may the composite rise; from 40 % on it must fall; at 100 %, where it befalls every plan, the
verdict must be REJECT. Read backwards the comparison is a repair, which must not be REJECT.
`tests/rubrics/test_power.py` tries a third of the panel on each step, another
third on the next one, on fewer cells, and fails where this table is of an older version of a rubric
or holds a ✗.

● all of that, REJECT at 20 % already, and KEEP for the repair of all · ○ all of that, but one of
these two is INCONCLUSIVE somewhere · ✗ fails · – cannot be done to this step: it writes no list,
names nothing that could be missing, or no other language is at hand

The artifacts of both sides are the same but for the damage, so these verdicts have less noise than
those on two runs of a model: `docs/evaluator.md` shows what is detected beside real noise.
"""
PROCESSES = 2
FAILS = "✗"
_HEAD = f"| step | version | {' | '.join(PANEL)} |"


def every(steps: Sequence[str], models: int) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each step, from two processes."""
    jobs = [(step, source, models) for step in steps for source in sources()]
    count = len(sources())
    with ProcessPoolExecutor(PROCESSES) as pool:
        results = pool.map(_job, jobs)
        for _ in steps:
            yield [one for _ in range(count) for one in next(results)]


def _job(job: tuple[str, str, int]) -> list[Outcome]:
    step, source, models = job
    return outcomes(step, source, models=models)


def _mark(results: Sequence[Outcome]) -> str:
    applied = [one for one in results if one.applies]
    if not applied:
        return "–"
    if any(one.problem for one in applied):
        return FAILS
    repaired = [one.is_repaired for one in applied if one.share >= 1 and not one.lost]
    return "●" if all(one.is_found for one in applied) and all(repaired) else "○"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: the version of a step's rubric, and what it notices."""

    version: int
    marks: tuple[str, ...]


def row_of(step: str, results: Sequence[Outcome]) -> Row:
    """Return the row of a step, with a mark for each damage."""
    rubric = load.find(step)
    assert rubric is not None
    marks = (_mark([one for one in results if one.damage == damage]) for damage in PANEL)
    return Row(version=rubric.version, marks=tuple(marks))


def shown() -> dict[str, Row]:
    """Return the rows that the page shows, by step; none if its damages are not those of today."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    if not lines or lines[0] != _HEAD:
        return {}
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {step: Row(version=int(version), marks=tuple(marks)) for step, version, *marks in cells}


def section(rows: Mapping[str, Row]) -> str:
    """Return the section of docs/rubrics.md that shows the power of the rubrics."""
    body = "".join(
        f"| {step} | {one.version} | {' | '.join(one.marks)} |\n"
        for step, one in sorted(rows.items())
    )
    text = TEXT.format(models=MODELS, pairs=MODELS * PLANS)
    return f"{BEGIN}\n{text}\n{_HEAD}\n|---|---:|{'---|' * len(PANEL)}\n{body}{END}\n"


def write(text: str) -> None:
    """Put the section into the page, in place of the one that is there."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN, 1) if BEGIN in page else (page + "\n", "")
    after = rest.split(END + "\n", 1)[1] if END in rest else ""
    PAGE.write_text(before + text + after, encoding="utf-8")


def main() -> int:
    """Print what each rubric notices, write the table, and return 1 if one fails."""
    parser = argparse.ArgumentParser(description="Plant damages, and see what the rubrics notice.")
    parser.add_argument(
        "steps", nargs="*", metavar="STEP", help="by default all; the other rows of the table stay"
    )
    parser.add_argument(
        "--models",
        type=int,
        default=MODELS,
        metavar="N",
        help="cells of each plan (default 5, and the table is written with those only)",
    )
    parser.add_argument(
        "--parts", action="store_true", help="show which measures moved, and every number"
    )
    options = parser.parse_args()
    rows: dict[str, Row] = {}
    failed = 0
    steps = options.steps or load.names()
    for step, results in zip(steps, every(steps, options.models), strict=True):
        rows[step] = row_of(step, results)
        print(step, *rows[step].marks, flush=True)
        for one in results:
            failed += bool(one.problem)
            if one.problem or (options.parts and one.applies):
                print(" ", *_described(one, parts=options.parts), sep=" · ", flush=True)
        if options.models == MODELS:
            # Step by step, so that what was found stays when the run is broken off.
            write(section(shown() | {step: rows[step]}))
    print(f"{len(rows)} rubrics, {failed} failures")
    return 1 if failed else 0


def _described(one: Outcome, *, parts: bool) -> Iterator[str]:
    yield from (one.source, one.damage, f"{one.share:.0%}")
    yield "no pair has content" if one.effect is None else f"{one.effect:+.2f}"
    yield str(one.answer) + (f", its repair {one.repaired}" if one.repaired else "")
    if one.problem:
        yield one.problem
    if parts:
        yield ", ".join(f"{name} {value:+.2f}" for name, value in one.parts if abs(value) >= 0.01)


if __name__ == "__main__":
    raise SystemExit(main())
