"""Measure runs by the rubric of their step, without asking a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_gateway import arguments
from model_gateway.exits import OK, exit_code
from model_gateway.foreign_files import resolved
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments
from self_improve.compare import BASELINE, compare

if TYPE_CHECKING:
    from rubrics.rubric import Rubric
    from self_improve.measures.evaluation import Evaluation

PROG = "python -m self_improve.evaluate"

EXAMPLES = f"""\
examples:
  # every measure of one run, by its number or its directory
  python -m self_improve.evaluate 131
  python -m self_improve.evaluate ../my_lab/history/1/31_identify_potential_levers

  # seven runs of a data repo as one table, and every value of every cell in a file
  python -m self_improve.evaluate --prompt-lab-dir ../my_lab 1/31 1/32 1/33 --csv cells.csv

  # the cells and passages behind one number
  python -m self_improve.evaluate 131 --explain near_duplicates

  # against other runs, or against the baseline plans: the same as `compare`
  python -m self_improve.evaluate 138 140 --against 131 132
  python -m self_improve.evaluate 138 --against {BASELINE}

  # every metric with its definition
  python -m self_improve.evaluate --list-metrics

Unchanged cells are measured once; their measures are stored in the user's cache directory.

exit codes: 0 measured · 2 wrong usage, no such run, or a rubric that cannot be used · 130
interrupted; with --against those of `compare`
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = arguments.new_parser(
        prog, "Measure runs by their step's rubric, without asking a model.", EXAMPLES
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="a run: its directory, 131 or 1/31")
    parser.add_argument(
        "--against", nargs="+", metavar="RUN", default=[],
        help=f"compare with these runs as the side before, or with `{BASELINE}`",
    )  # fmt: skip
    lab_arguments.lab(parser)
    lab_arguments.baseline_folders(parser)
    step_arguments.rubric(parser)
    parser.add_argument(
        "--explain", metavar="METRIC",
        help="show the cells and passages behind a number: a metric or a measure's id",
    )  # fmt: skip
    parser.add_argument(
        "--list-metrics", action="store_true", help="print what each metric measures"
    )
    parser.add_argument("--no-store", action="store_true", help="measure everything again")
    arguments.as_json(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every value of every cell")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table for a page")
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, measure, print, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _execute(options))


def _execute(options: argparse.Namespace) -> int:
    # Imported now, so that --help and a wrong flag answer at once.
    from self_improve.errors import UsageError

    if options.explain and (options.against or options.csv or options.markdown):
        raise UsageError(
            "--explain prints the cells behind the numbers of runs, as text or with --json: name "
            "the runs of both sides as RUN, and leave --against, --csv and --markdown out."
        )
    if options.list_metrics:
        print(_metrics())
        return OK
    if not options.runs:
        raise UsageError("Which run? Give its directory, or a number such as 131 or 1/31.")
    if options.against:
        sides = {"before": options.against, "after": options.runs}
        defaults = {"expect": [], "alike": False, "seed": None, "examples": 3, "svg": None}
        return compare(argparse.Namespace(**vars(options), **sides, **defaults))
    return _evaluate(options)


def _evaluate(options: argparse.Namespace) -> int:
    import contextlib

    from prompt_lab import run_names
    from prompt_lab.baselines import beside
    from rubrics import load
    from self_improve.measures import evaluation, evaluation_tables
    from self_improve.measures.measurer import Measurer
    from self_improve.measures.store import Store, default_path
    from self_improve.records.rubric_choice import rubric_for

    lab = run_names.lab_of(options.prompt_lab_dir)
    # One run may be named in several ways.
    paths = list(dict.fromkeys(run_names.find(name, lab).resolve() for name in options.runs))
    rubric = load.load(options.rubric) if options.rubric else rubric_for(paths[0])
    if options.explain:
        return _explain(options.explain, paths, rubric, as_json=options.json)
    with contextlib.ExitStack() as stack:
        store = None if options.no_store else stack.enter_context(Store(default_path()))
        baselines = beside(paths[0], [resolved(path) for path in options.baseline_dir])
        measurer = Measurer(rubric, baselines=baselines, store=store)
        result = evaluation.evaluate(rubric, [measurer.run(path) for path in paths])
    _write(options, result)
    if options.json:
        import json

        print(json.dumps(evaluation.to_json(result), ensure_ascii=False))
    else:
        print(evaluation_tables.text(result))
    return OK


def _write(options: argparse.Namespace, result: Evaluation) -> None:
    from self_improve.measures import evaluation_tables

    if options.csv:
        options.csv.write_text(evaluation_tables.table(result), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(evaluation_tables.markdown(result), encoding="utf-8")


def _explain(name: str, paths: Sequence[Path], rubric: Rubric, *, as_json: bool) -> int:
    from self_improve.measures import explanation

    if as_json:
        import json

        rows = [
            explanation.to_row(use, path, explained)
            for use in explanation.uses_named(rubric, name)
            for path in paths
            for explained in explanation.explain(path, rubric, use)
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return OK
    for use in explanation.uses_named(rubric, name):
        print(f"{use.id}  ({use.direction} is better)")
        for path in paths:
            for explained in explanation.explain(path, rubric, use):
                print("\n".join(explanation.lines(explained)))
        print()
    return OK


def _metrics() -> str:
    import inspect

    from self_improve.measures.catalogue import catalogue
    from self_improve.measures.metric import parameters

    parts = []
    for name, metric in catalogue().items():
        settings = ", ".join(f"{key} = {value!r}" for key, value in parameters(metric).items())
        docstring = inspect.cleandoc(metric.__doc__ or "").replace("\n", "\n    ")
        parts.append(
            f"{name}\n    {docstring}" + (f"\n    Settings: {settings}." if settings else "")
        )
    return "\n\n".join(parts).replace("\n    \n", "\n\n")


if __name__ == "__main__":
    raise SystemExit(main())
