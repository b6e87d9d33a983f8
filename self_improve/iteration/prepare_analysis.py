"""The command line of phase 0 of an analysis; `analysis.prepare_iteration` runs it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from model_gateway import arguments
from model_gateway.exits import OK, exit_code
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

PROG = "python -m analysis.prepare_iteration"

EXAMPLES = f"""\
examples:
  # the runs of both sides are found by the commits that they were made from
  {PROG} --step plan_type --pr 12 --forge github --github-repo OWNER/NAME

  # named runs: paths, or numbers as `plumbline compare` takes them
  {PROG} --step plan_type --pr 3 --before 131 132 --after 138 139

It asks no model and judges nothing; python -m analysis.run_insight does the next phase. Run again,
it finds what it has written.

exit codes: 0 the facts are written · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of phase 0."""
    parser = arguments.new_parser(
        prog, "Write down the facts of a pull request's runs, for agents to look at.", EXAMPLES
    )
    step_arguments.step(parser)
    parser.add_argument(
        "--pr", type=int, required=True, metavar="N", help="the pull request, which must be open"
    )
    for side, commit in (("before", "the base"), ("after", "the pull request")):
        parser.add_argument(
            f"--{side}", nargs="+", default=[], metavar="RUN",
            help=f"the runs on that side (default: the finished ones of {commit}'s commit)",
        )  # fmt: skip
    step_arguments.expectations(parser)
    parser.add_argument(
        "--iteration", type=arguments.whole, metavar="N",
        help="the number in analysis/ (default: the next one)",
    )  # fmt: skip
    arguments.seed(parser, "the statistics")
    lab_arguments.lab(parser)
    step_arguments.repository(parser)
    step_arguments.forge(parser)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Write the facts and return the exit code."""
    options = parser().parse_args(words)

    def prepare() -> int:
        # Imported now, so that --help answers at once.
        from self_improve.iteration.pull_request_facts import write_facts

        print(f"Written to {write_facts(options).path}")
        return OK

    return exit_code(prepare)
