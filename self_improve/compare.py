"""Compare two sets of runs by the rubric of their step: KEEP, REJECT or INCONCLUSIVE, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

BASELINE = "baseline-plan"
OK, USAGE = 0, 2

EXAMPLES = f"""\
examples:
  # runs with the old prompt against runs with the new one, by their numbers in the data repo
  python -m self_improve.compare --before 1/24 1/25 1/26 --after 1/31 1/32 1/33

  # what the candidate said in advance that it would do, on one model
  python -m self_improve.compare --before 1/45 --after 1/52 \\
      --expect short_texts:options:lower:model=ollama-llama3.1

  # against the baseline plans, as a page for a pull request and a picture
  python -m self_improve.compare --before {BASELINE} --after 138 --markdown page.md --svg plot.svg

exit codes: 0 compared, whatever the verdict · 2 wrong usage, no such run, or not comparable
"""


def parser(prog: str = "python -m self_improve.compare") -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Compare two sets of runs and say KEEP, REJECT or INCONCLUSIVE.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--before", nargs="+", required=True, metavar="RUN",
        help=f"the runs of one side: directories, 131 or 1/31; or `{BASELINE}`",
    )  # fmt: skip
    made.add_argument(
        "--after", nargs="+", required=True, metavar="RUN", help="the runs of the other side"
    )
    made.add_argument(
        "--expect", action="append", default=[], metavar="METRIC:lower|higher[:model=M][:plan=P]",
        help="an effect that was declared in advance; may be repeated",
    )  # fmt: skip
    made.add_argument(
        "--alike", action="store_true",
        help="nothing was changed between the sides: see what noise comes to",
    )  # fmt: skip
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument(
        "--baseline-dir", action="append", default=[], type=Path, metavar="DIR",
        help="where baseline plans lie that lengths are held against (default: in the data repo)",
    )  # fmt: skip
    made.add_argument("--rubric", type=Path, metavar="FILE", help="another rubric than the step's")
    made.add_argument("--seed", type=int, metavar="N", help="seed of the permutations (default: 1)")
    made.add_argument(
        "--examples", type=int, default=3, metavar="N", help="how many of the worst changes to show"
    )
    made.add_argument("--json", action="store_true", help="print JSON")
    made.add_argument("--csv", type=Path, metavar="FILE", help="write every effect as CSV")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write a page in Markdown")
    made.add_argument("--svg", type=Path, metavar="FILE", help="draw the effects and intervals")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, compare, print, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help and a wrong flag answer at once.
    from prompt_lab.errors import LabError
    from rubrics.errors import RubricError
    from self_improve.errors import ImproveError
    from self_improve.exits import until_unread

    try:
        return until_unread(lambda: _compare(options))
    except (LabError, RubricError, ImproveError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE


def _compare(options: argparse.Namespace) -> int:
    import json

    from prompt_lab import run_names
    from rubrics import load
    from self_improve.comparison import text as comparison_text
    from self_improve.comparison.comparison import compare
    from self_improve.comparison.sides import measurer_for
    from self_improve.errors import UsageError
    from self_improve.records.rubric_choice import rubric_for
    from self_improve.verdict import expectation, noise

    lab = run_names.lab_of(options.prompt_lab_dir)
    is_baseline = options.before == [BASELINE]
    if BASELINE in options.after or (BASELINE in options.before and not is_baseline):
        raise UsageError(f"{BASELINE} stands for the whole side before: --before {BASELINE}.")
    before = [] if is_baseline else [run_names.find(name, lab) for name in options.before]
    after = [run_names.find(name, lab) for name in options.after]
    rubric = load.load(options.rubric) if options.rubric else rubric_for(after[0])
    declared = [expectation.parse(text, rubric) for text in options.expect]
    with measurer_for(rubric, options.baseline_dir, lab) as measurer:
        found = compare(
            before, after, rubric, measurer, noise=noise.find(rubric, load.FOLDER),
            expectations=declared, claim="alike" if options.alike else "change",
            seed=options.seed, shown=options.examples,
        )  # fmt: skip
    expectation.check_scope(declared, found.verdict.models, found.verdict.plans)
    if options.csv:
        from self_improve.comparison.table import table

        options.csv.write_text(table(found), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(comparison_text.page(found), encoding="utf-8")
    if options.svg:
        # Imported here because only a picture needs matplotlib, which takes a second.
        from self_improve.comparison.plot import svg

        options.svg.write_text(svg(found, rubric), encoding="utf-8")
    if options.json:
        print(json.dumps(found.to_row(), ensure_ascii=False))
    else:
        comparison_text.show(found)
    return OK


if __name__ == "__main__":
    raise SystemExit(main())
