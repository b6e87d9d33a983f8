"""Plants damages in every step's own artifacts, and shows whether its rubric notices them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
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
`tests/rubrics/test_power.py` runs the same on
fewer cells, so a rubric that fails fails the tests.

● all of that, REJECT at 20 % already, and KEEP for the repair of all · ○ all of that, but one of
these two is INCONCLUSIVE somewhere · ✗ fails · – cannot be done to this step: it writes no list,
names nothing that could be missing, or no other language is at hand

The artifacts of both sides are the same but for the damage, so these verdicts have less noise than
those on two runs of a model: `docs/evaluator.md` shows what is detected beside real noise.
"""
PROCESSES = 2


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


def row(results: Sequence[Outcome]) -> list[str]:
    """Return the marks of one step, a column for each damage."""
    return [_mark([one for one in results if one.damage == damage]) for damage in PANEL]


def _mark(results: Sequence[Outcome]) -> str:
    applied = [one for one in results if one.applies]
    if not applied:
        return "–"
    if any(one.problem for one in applied):
        return "✗"
    repaired = [one.is_repaired for one in applied if one.share >= 1 and not one.lost]
    return "●" if all(one.is_found for one in applied) and all(repaired) else "○"


def table(rows: Mapping[str, Sequence[str]], models: int) -> str:
    """Return the section of docs/rubrics.md that shows the power of the rubrics."""
    head = f"| step | {' | '.join(PANEL)} |\n|---|{'---|' * len(PANEL)}\n"
    body = "".join(f"| {step} | {' | '.join(marks)} |\n" for step, marks in rows.items())
    return f"{BEGIN}\n{TEXT.format(models=models, pairs=models * PLANS)}\n{head}{body}{END}\n"


def write(section: str) -> None:
    """Put the section into the page, in place of the one that is there."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN, 1) if BEGIN in page else (page + "\n", "")
    after = rest.split(END + "\n", 1)[1] if END in rest else ""
    PAGE.write_text(before + section + after, encoding="utf-8")


def main() -> int:
    """Print what each rubric notices, write the table, and return 1 if one fails."""
    parser = argparse.ArgumentParser(description="Plant damages, and see what the rubrics notice.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="by default all, for the table")
    parser.add_argument(
        "--models", type=int, default=MODELS, metavar="N", help="cells of each plan (default 5)"
    )
    parser.add_argument(
        "--parts", action="store_true", help="show which measures moved, and every number"
    )
    options = parser.parse_args()
    rows, failed = {}, 0
    steps = options.steps or load.names()
    for step, results in zip(steps, every(steps, options.models), strict=True):
        rows[step] = row(results)
        print(step, *rows[step], flush=True)
        for one in results:
            failed += bool(one.problem)
            if one.problem or (options.parts and one.applies):
                print(" ", *_described(one, parts=options.parts), sep=" · ", flush=True)
    if not options.steps:
        write(table(rows, options.models))
    print(f"{len(rows)} rubrics, {failed} failures")
    return 1 if failed else 0


def _described(one: Outcome, *, parts: bool) -> Iterator[str]:
    yield from (one.source, one.damage, f"{one.share:.0%}")
    yield "no pair has content" if one.effect is None else f"{one.effect:+.2f}"
    yield f"{one.answer}, its repair {one.repaired}"
    if one.problem:
        yield one.problem
    if parts:
        yield ", ".join(f"{name} {value:+.2f}" for name, value in one.parts if abs(value) >= 0.01)


if __name__ == "__main__":
    raise SystemExit(main())
