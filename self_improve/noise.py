"""Measure how far runs of identical prompts lie apart, and store it beside the rubric."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

OK, USAGE = 0, 2
EXAMPLES = """\
examples:
  # every run of the step that was run again with --new, against its first run
  python -m self_improve.noise --step identify_potential_levers

  # runs of an older history of which you know that nothing was changed between them
  python -m self_improve.noise --step identify_potential_levers \\
      --alike 0/60,0/61=0/67,0/68 --alike 1/10=1/17

exit codes: 0 measured · 2 wrong usage, or no pair of runs with the same prompts
"""


def parser(prog: str = "python -m self_improve.noise") -> argparse.ArgumentParser:
    """Return the command's parser."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Measure the noise between runs of identical prompts.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--step", required=True, help="the step whose runs are taken")
    made.add_argument(
        "--alike", action="append", default=[], metavar="RUNS=RUNS",
        help="two lists of runs (a path, 1/31 or 131) with nothing changed between them; may be "
        "repeated (default: all runs of the history that were run again)",
    )  # fmt: skip
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument(
        "--baseline-dir", type=Path, action="append", default=[], metavar="DIR",
        help="baseline plans outside a data repo, for lengths; may be repeated",
    )  # fmt: skip
    made.add_argument("--rubric", type=Path, metavar="FILE", help="another rubric than the step's")
    made.add_argument(
        "--output", type=Path, metavar="FILE",
        help="where to write it (default: beside the rubric, where verdicts look for it)",
    )  # fmt: skip
    made.add_argument("--json", action="store_true", help="print it as JSON and store nothing")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, measure, store, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help and a wrong flag answer at once.
    from prompt_lab.errors import LabError
    from rubrics.errors import RubricError
    from self_improve.errors import ImproveError
    from self_improve.exits import until_unread

    try:
        return until_unread(lambda: _execute(options))
    except (ImproveError, LabError, RubricError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE


def _execute(options: argparse.Namespace) -> int:
    from prompt_lab import atomic, layout, run_names
    from rubrics import load
    from self_improve.comparison import repeated_runs
    from self_improve.comparison.sides import measure_sides, measurer_for
    from self_improve.errors import UsageError
    from self_improve.records.rubric_choice import rubric_for
    from self_improve.verdict import noise as calibration

    lab = run_names.lab_of(options.prompt_lab_dir)
    batches = [
        [[run_names.find(name, lab) for name in side.split(",")] for side in _two(text)]
        for text in options.alike
    ]
    if not batches:
        known = lab or layout.find(options.prompt_lab_dir)
        batches = [list(batch) for batch in repeated_runs.repeated_batches(known, options.step)]
    if not batches:
        raise UsageError(
            f"No run of {options.step} was run again with nothing changed. Do it with "
            "`python -m self_improve.runner ... --new`, or name such runs with --alike."
        )
    rubric = load.load(options.rubric) if options.rubric else rubric_for(batches[0][0][0])
    if rubric.step != options.step:
        raise UsageError(
            f"--step is {options.step}, and what would be measured is {rubric.step}: "
            f"say --step {rubric.step}, or name runs and a rubric of {options.step}."
        )
    with measurer_for(rubric, options.baseline_dir, lab) as measurer:
        sides = [measure_sides(old, new, measurer) for old, new in batches]
        if not (options.json or options.output) and any(side.is_simulated for side in sides):
            raise UsageError(
                "Simulated models ran these cells, and real verdicts would be widened by what they "
                "scatter: --json shows it, and --output FILE stores it where no verdict looks."
            )
        pairings = [side.pairing for side in sides]
        sources = [f"{_names(old)} = {_names(new)}" for old, new in batches]
        noise = repeated_runs.noise_of(pairings, rubric, sources)
    text = noise.model_dump_json(indent=2) + "\n"
    if options.json:
        print(text, end="")
        return OK
    path = options.output or calibration.path_of(options.step, load.FOLDER)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.encode())
    for line in calibration.lines(noise):
        print(line)
    print(f"Stored in {path}.")
    return OK


def _two(text: str) -> list[str]:
    from self_improve.errors import UsageError

    sides = text.split("=")
    if len(sides) != 2 or not all(sides):
        raise UsageError(f"--alike {text!r}: write RUN,RUN=RUN,RUN.")
    return sides


def _names(paths: Sequence[Path]) -> str:
    return " ".join(f"{path.parent.name}/{path.name.partition('_')[0]}" for path in paths)


if __name__ == "__main__":
    raise SystemExit(main())
