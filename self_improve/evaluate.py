"""Measure runs by the rubric of their step, without asking a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rubrics.rubric import Rubric
    from self_improve.measures.evaluation import Evaluation
    from self_improve.measures.store import Store

BASELINE = "baseline-plan"
OK, USAGE = 0, 2

EXAMPLES = f"""\
examples:
  # everything that is measured of one run, by its number or its directory
  python -m self_improve.evaluate 131
  python -m self_improve.evaluate ../my_lab/history/1/31_identify_potential_levers

  # seven runs of a data repo as one table, and every value of every cell in a file
  python -m self_improve.evaluate --prompt-lab-dir ../my_lab 1/31 1/32 1/33 --csv cells.csv

  # what made that number? the cells, and the stretches of text that count
  python -m self_improve.evaluate 131 --explain near_duplicates

  # against other runs, or against the baseline plans: this is what `compare` does
  python -m self_improve.evaluate 138 140 --against 131 132
  python -m self_improve.evaluate 138 --against {BASELINE}

  # every metric with its definition
  python -m self_improve.evaluate --list-metrics

Unchanged cells are measured once; what was measured lies in the user's cache directory.

exit codes: 0 measured · 2 wrong usage, no such run, or a rubric that cannot be used; with --against
those of `compare`
"""


def parser(prog: str = "python -m self_improve.evaluate") -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Measure runs by their step's rubric, without asking a model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("runs", nargs="*", metavar="RUN", help="a run: its directory, 131 or 1/31")
    made.add_argument(
        "--against", nargs="+", metavar="RUN", default=[],
        help=f"compare with these runs as the side before, or with `{BASELINE}`",
    )  # fmt: skip
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument(
        "--baseline-dir", action="append", default=[], type=Path, metavar="DIR",
        help="where baseline plans lie that lengths are held against (default: in the data repo)",
    )  # fmt: skip
    made.add_argument("--rubric", type=Path, metavar="FILE", help="another rubric than the step's")
    made.add_argument(
        "--explain", metavar="METRIC", help="show what made a number: a metric or a measure's id"
    )
    made.add_argument("--list-metrics", action="store_true", help="tell what each metric measures")
    made.add_argument("--no-store", action="store_true", help="measure everything again")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.add_argument("--csv", type=Path, metavar="FILE", help="write every value of every cell")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write the table for a page")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, measure, print, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help and a wrong flag answer at once.
    from prompt_lab.errors import LabError
    from rubrics.errors import RubricError
    from self_improve.errors import ImproveError
    from self_improve.exits import until_unread

    try:
        return until_unread(lambda: _execute(options))
    except (LabError, RubricError, ImproveError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        return 130


def _execute(options: argparse.Namespace) -> int:
    from self_improve.errors import UsageError

    if options.explain and (options.against or options.csv or options.markdown):
        raise UsageError(
            "--explain prints what made the numbers of runs, as text or with --json: name the runs "
            "of both sides as RUN, and leave --against, --csv and --markdown out."
        )
    if options.list_metrics:
        print(_metrics())
        return OK
    if options.against:
        return _compare(options)
    return _evaluate(options)


def _evaluate(options: argparse.Namespace) -> int:
    import contextlib

    from prompt_lab import run_names
    from prompt_lab.baselines import beside
    from rubrics import load
    from self_improve.errors import UsageError
    from self_improve.measures import evaluation, evaluation_tables, store
    from self_improve.measures.measurer import Measurer
    from self_improve.records.rubric_choice import rubric_for

    if not options.runs:
        raise UsageError("Which run? Give its directory, or a number such as 131 or 1/31.")
    lab = run_names.lab_of(options.prompt_lab_dir)
    # One run may be named in several ways.
    paths = list(dict.fromkeys(run_names.find(name, lab).resolve() for name in options.runs))
    rubric = load.load(options.rubric) if options.rubric else rubric_for(paths[0])
    if options.explain:
        return _explain(options.explain, paths, rubric, as_json=options.json)
    with contextlib.ExitStack() as stack:
        kept: Store | None = None
        if not options.no_store:
            kept = stack.enter_context(store.Store(store.default_path()))
        baselines = beside(paths[0], [path.resolve() for path in options.baseline_dir])
        measurer = Measurer(rubric, baselines=baselines, store=kept)
        found = evaluation.evaluate(rubric, [measurer.run(path) for path in paths])
    _write(options, found)
    if options.json:
        import json

        print(json.dumps(evaluation.to_json(found), ensure_ascii=False))
    else:
        print(evaluation_tables.text(found))
    return OK


def _write(options: argparse.Namespace, found: Evaluation) -> None:
    from self_improve.measures import evaluation_tables

    if options.csv:
        options.csv.write_text(evaluation_tables.table(found), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(evaluation_tables.markdown(found), encoding="utf-8")


def _explain(name: str, paths: Sequence[Path], rubric: Rubric, *, as_json: bool) -> int:
    from self_improve.measures import explanation

    if as_json:
        import json

        rows = [
            explanation.to_row(use, path, explained)
            for use in explanation.chosen(rubric, name)
            for path in paths
            for explained in explanation.explain(path, rubric, use)
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return OK
    for use in explanation.chosen(rubric, name):
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
        told = inspect.cleandoc(metric.__doc__ or "").replace("\n", "\n    ")
        parts.append(f"{name}\n    {told}" + (f"\n    Settings: {settings}." if settings else ""))
    return "\n\n".join(parts).replace("\n    \n", "\n\n")


def _compare(options: argparse.Namespace) -> int:
    from self_improve.compare import main

    words = ["--before", *options.against, "--after", *options.runs]
    if options.prompt_lab_dir:
        words += ["--prompt-lab-dir", options.prompt_lab_dir]
    if options.rubric:
        words += ["--rubric", str(options.rubric)]
    for folder in options.baseline_dir:
        words += ["--baseline-dir", str(folder)]
    for name in ("csv", "markdown"):
        if getattr(options, name):
            words += [f"--{name}", str(getattr(options, name))]
    words += ["--json"] if options.json else []
    return main(words)


if __name__ == "__main__":
    raise SystemExit(main())
