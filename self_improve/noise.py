"""Measure how much runs of identical prompts differ, and store it beside the rubric."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model_gateway import arguments
from model_gateway.exits import OK, exit_code
from model_gateway.invocation import typed
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

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
        help="where to write it (default: beside the rubric, where verdicts read it)",
    )  # fmt: skip
    arguments.as_json(parser, "print it as JSON and store nothing")
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, measure, store, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _execute(options))


def _execute(options: argparse.Namespace) -> int:
    # Imported now, so that --help and a wrong flag answer at once.
    from prompt_lab import atomic, layout, run_names
    from rubrics import load
    from self_improve.comparison import repeated_runs
    from self_improve.comparison.sides import measure_sides, measurer_for
    from self_improve.errors import UsageError
    from self_improve.records.rubric_choice import rubric_for
    from self_improve.verdict import noise as noise_files

    lab = run_names.lab_of(options.prompt_lab_dir)
    batches = [
        [[run_names.find(name, lab) for name in side.split(",")] for side in _two_sides(text)]
        for text in options.alike
    ]
    if not batches:
        history = lab or layout.find(options.prompt_lab_dir)
        batches = [list(batch) for batch in repeated_runs.repeated_batches(history, options.step)]
    if not batches:
        raise UsageError(
            f"No run of {options.step} was repeated with nothing changed. Repeat one with "
            f"`{typed('run ... --new')}`, or name such runs with --alike."
        )
    rubric = load.load(options.rubric) if options.rubric else rubric_for(batches[0][0][0])
    if rubric.step != options.step:
        raise UsageError(
            f"--step is {options.step}, but the runs and the rubric are of {rubric.step}: "
            f"say --step {rubric.step}, or name runs and a rubric of {options.step}."
        )
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
    text = noise.model_dump_json(indent=2) + "\n"
    if options.json:
        print(text, end="")
        return OK
    path = options.output or noise_files.path_of(options.step, load.FOLDER)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.encode())
    for line in noise_files.lines(noise):
        print(line)
    print(f"Stored in {path}.")
    return OK


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
