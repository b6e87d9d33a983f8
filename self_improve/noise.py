"""Measure how much runs of identical prompts differ, and store it in the data repo."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_gateway import arguments
from model_gateway.exits import OK, exit_code
from model_gateway.invocation import typed
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

if TYPE_CHECKING:
    from prompt_lab.layout import Layout

    Batch = tuple[list[Path], list[Path]]

PROG = "python -m self_improve.noise"
EXAMPLES = """\
examples:
  # every run of the step that was repeated with --new, against its first run
  python -m self_improve.noise --step identify_potential_levers

  # runs of an older history of which you know that nothing was changed between them
  python -m self_improve.noise --step identify_potential_levers \\
      --alike 0/60,0/61=0/67,0/68 --alike 1/10=1/17

exit codes: 0 measured · 2 wrong usage, or no pair of runs with the same prompts · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = arguments.new_parser(
        prog, "Measure the noise between runs of identical prompts.", EXAMPLES
    )
    step_arguments.step(parser, "the step whose runs are taken")
    parser.add_argument(
        "--alike", action="append", default=[], metavar="RUNS=RUNS",
        help="two lists of runs (a path, 1/31 or 131) with nothing changed between them; may be "
        "repeated (default: all runs of the history that were repeated)",
    )  # fmt: skip
    lab_arguments.lab(parser)
    lab_arguments.baseline_folders(parser)
    step_arguments.rubric(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE",
        help="where to write it (default: noise/STEP.json in the data repo, which verdicts read)",
    )  # fmt: skip
    arguments.as_json(parser, "print it as JSON and store nothing")
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, measure, store, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _execute(options))


def _execute(options: argparse.Namespace) -> int:
    # Imported now, so that --help and a wrong flag answer at once.
    from prompt_lab import atomic, run_names
    from rubrics import load
    from self_improve.comparison import repeated_runs
    from self_improve.comparison.sides import measure_sides, measurer_for
    from self_improve.errors import UsageError
    from self_improve.records.rubric_choice import rubric_for
    from self_improve.verdict import noise as noise_files

    lab = run_names.lab_of(options.prompt_lab_dir)
    batches = _batches(options, lab)
    rubric = load.load(options.rubric) if options.rubric else rubric_for(batches[0][0][0])
    if rubric.step != options.step:
        raise UsageError(
            f"--step is {options.step}, but the runs and the rubric are of {rubric.step}: "
            f"say --step {rubric.step}, or name runs and a rubric of {options.step}."
        )
    path = None if options.json else _target(options, lab, batches[0][0][0])
    with measurer_for(rubric, options.baseline_dir, lab) as measurer:
        sides = [measure_sides(old, new, measurer) for old, new in batches]
        if not (options.json or options.output) and any(side.is_simulated for side in sides):
            raise UsageError(
                "Simulated models ran these cells, and their noise would widen real verdicts: "
                "--json prints it, and --output FILE stores it where no verdict reads it."
            )
        pairings = [side.pairing for side in sides]
        sources = [f"{_names(old)} = {_names(new)}" for old, new in batches]
        noise = repeated_runs.noise_of(pairings, rubric, sources)
        repeated_runs.require_variation(noise, pairings)
    text = noise.model_dump_json(indent=2) + "\n"
    if path is None:
        print(text, end="")
        return OK
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.encode())
    for line in noise_files.lines(noise):
        print(line)
    print(f"Stored in {path}.")
    return OK


def _batches(options: argparse.Namespace, lab: Layout | None) -> Sequence[Batch]:
    """Return the runs that are named as alike, or those of the history that were repeated.

    Raises:
        LabError: there is no such run.
        UsageError: runs that are named are not alike, or none was repeated.
    """
    from model_gateway.exits import say
    from prompt_lab import layout, run_names
    from self_improve.comparison import comparability, repeated_runs
    from self_improve.errors import UsageError

    if options.alike:
        sides = [_two_sides(text) for text in options.alike]
        named = [[[run_names.find(n, lab) for n in s.split(",")] for s in two] for two in sides]
        for old, new in named:
            comparability.check(old, new, claim="alike").require()
        return [(old, new) for old, new in named]
    history = lab or layout.find(options.prompt_lab_dir)
    repeated = list(repeated_runs.repeated_batches(history, options.step))
    alike, reasons = repeated_runs.alike_or_why_not(repeated)
    for reason in reasons:
        say(f"left out: {reason}")
    if not alike:
        raise UsageError(
            f"No run of {options.step} was repeated with nothing changed. Repeat one with "
            f"`{typed('run ... --new')}`, or name such runs with --alike."
        )
    return alike


def _target(options: argparse.Namespace, lab: Layout | None, run: Path) -> Path:
    """Return the file to write: the one that is named, or the data repo's own.

    Raises:
        UsageError: neither is known.
    """
    from prompt_lab import layout
    from self_improve.errors import UsageError
    from self_improve.verdict import noise as noise_files

    if options.output is not None:
        return Path(options.output)
    home = lab or layout.containing(run)
    if home is None:
        raise UsageError(
            "In which data repo shall it be stored? Say --prompt-lab-dir DIR, or name a file with "
            "--output FILE."
        )
    return noise_files.path_in(options.step, home)


def _two_sides(text: str) -> list[str]:
    from self_improve.errors import UsageError

    sides = text.split("=")
    if len(sides) != 2 or not all(sides):
        raise UsageError(f"--alike {text!r}: write RUN,RUN=RUN,RUN.")
    return sides


def _names(paths: Sequence[Path]) -> str:
    return " ".join(f"{path.parent.name}/{path.name.partition('_')[0]}" for path in paths)


if __name__ == "__main__":
    raise SystemExit(main())
