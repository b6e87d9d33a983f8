"""Compare two sets of runs by the rubric of their step: KEEP, REJECT or INCONCLUSIVE, and why."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model_gateway import arguments
from model_gateway.exits import OK, exit_code
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

PROG = "python -m self_improve.compare"
BASELINE = "baseline-plan"

EXAMPLES = f"""\
examples:
  # runs with the old prompt against runs with the new one, by their numbers in the data repo
  python -m self_improve.compare --before 1/24 1/25 1/26 --after 1/31 1/32 1/33

  # with an effect that the candidate declared in advance, on one model
  python -m self_improve.compare --before 1/45 --after 1/52 \\
      --expect short_texts:options:lower:model=ollama-llama3.1

  # against the baseline plans, as a page for a pull request and a picture
  python -m self_improve.compare --before {BASELINE} --after 138 --markdown page.md --svg plot.svg

exit codes: 0 compared, whatever the verdict · 2 wrong usage, no such run, or not comparable ·
130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = arguments.new_parser(
        prog, "Compare two sets of runs and say KEEP, REJECT or INCONCLUSIVE.", EXAMPLES
    )
    parser.add_argument(
        "--before", nargs="+", required=True, metavar="RUN",
        help=f"the runs of one side: directories, 131 or 1/31; or `{BASELINE}`",
    )  # fmt: skip
    parser.add_argument(
        "--after", nargs="+", required=True, metavar="RUN", help="the runs of the other side"
    )
    step_arguments.expectations(parser)
    parser.add_argument(
        "--alike", action="store_true",
        help="nothing was changed between the sides: show how large differences by chance are",
    )  # fmt: skip
    lab_arguments.lab(parser)
    lab_arguments.baseline_folders(parser)
    step_arguments.rubric(parser)
    parser.add_argument(
        "--seed", type=int, metavar="N",
        help="seed of the permutations (default: that of --until-decided, or 1)",
    )  # fmt: skip
    parser.add_argument(
        "--examples", type=int, default=3, metavar="N", help="how many of the worst changes to show"
    )
    arguments.as_json(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every effect as CSV")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a page in Markdown")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the effects and intervals")
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, compare, print, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: compare(options))


def compare(options: argparse.Namespace) -> int:
    """Compare the runs that the options name, write and print what they ask for.

    Raises:
        LabError, RubricError: a run or the rubric cannot be read.
        UsageError: the runs cannot be compared, or an expectation does not fit them.
    """
    # Imported now, so that --help and a wrong flag answer at once.
    import json

    from prompt_lab import layout, run_names
    from rubrics import load
    from self_improve.comparison import comparison
    from self_improve.comparison import text as comparison_text
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
    expectations = [expectation.parse(text, rubric) for text in options.expect]
    home = lab or layout.containing(after[0])
    with measurer_for(rubric, options.baseline_dir, lab) as measurer:
        result = comparison.compare(
            before, after, rubric, measurer, noise=noise.find(rubric, load.FOLDER, home),
            expectations=expectations, claim="alike" if options.alike else "change",
            seed=options.seed, shown=options.examples,
        )  # fmt: skip
    expectation.check_scope(expectations, result.verdict.models, result.verdict.plans)
    if options.csv:
        from self_improve.comparison.table import table

        options.csv.write_text(table(result), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(comparison_text.page(result), encoding="utf-8")
    if options.svg:
        # Imported here because only a picture needs matplotlib, which takes a second.
        from self_improve.comparison.plot import svg

        options.svg.write_text(svg(result, rubric), encoding="utf-8")
    if options.json:
        print(json.dumps(result.to_row(), ensure_ascii=False))
    else:
        comparison_text.show(result)
    return OK


if __name__ == "__main__":
    raise SystemExit(main())
