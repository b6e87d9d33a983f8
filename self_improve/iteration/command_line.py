"""The command line of `run_optimization_iteration.py`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from model_gateway import arguments
from model_gateway.arguments import Group
from model_gateway.exits import OK, exit_code
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments
from self_improve.command_line import load

PROG = "python run_optimization_iteration.py"
REJECTED = 1
ANALYSE = ("auto", "always", "never")

EXAMPLES = """\
examples:
  # test a prompt of your own against the one in the code, on two models
  python run_optimization_iteration.py --step identify_potential_levers --models llama,haiku \\
      --prompt LEVERS_SYSTEM_PROMPT=better.txt --expect items:higher --max-cost 5

  # test the change of an open pull request
  python run_optimization_iteration.py --step plan_type --models haiku --forge github --pr 12

  # estimate the cost of three candidates that the reflective generator proposes
  python run_optimization_iteration.py --step plan_type --models haiku --candidates 3 --dry-run

  # try everything without keys
  python run_optimization_iteration.py --step identify_potential_levers --models sim,sim-weak \\
      --candidates 1

Run the same command again to resume; finished calls are not repeated. A pull request is merged only
after a YES, and only with --merge-on-yes.

exit codes: 0 it ended with YES, CONDITIONAL or INCONCLUSIVE · 1 it ended with NO, or cells stayed
open · 2 wrong usage or configuration · 3 budget reached · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of an iteration."""
    parser = arguments.new_parser(
        prog, "Test a change to a step's prompts, from a candidate to a pull request.", EXAMPLES
    )
    _candidates(parser.add_argument_group("what is tested"))
    context(parser.add_argument_group("models, plans and code"))
    phases(parser.add_argument_group("phases"))
    limits(parser.add_argument_group("limits"))
    return parser


def _candidates(group: Group) -> None:
    step_arguments.step(group)
    group.add_argument(
        "--prompt", action="append", default=[], metavar="SURFACE=FILE",
        help="a candidate as texts: a prompt surface and the file of its new text; may be repeated",
    )  # fmt: skip
    group.add_argument("--branch", metavar="NAME", help="a candidate as code: a branch")
    group.add_argument("--pr", type=int, metavar="N", help="a candidate as code: a pull request")
    group.add_argument(
        "--candidates", type=arguments.whole, default=0, metavar="N",
        help="how many candidates a generator proposes (default: %(default)s)",
    )  # fmt: skip
    search(group)
    step_arguments.expectations(group)
    group.add_argument("--rationale", default="", metavar="TEXT", help="why, for reviewers")


def search(group: Group) -> None:
    """Add the flags that say how candidates are proposed."""
    group.add_argument(
        "--generator", default="reflective", metavar="NAME",
        help="what proposes them; `plumbline generators` lists all (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--small", action="store_true",
        help="propose as a small local model can: short calls, larger populations",
    )  # fmt: skip
    group.add_argument(
        "--force", action="store_true", help="search even where almost nothing can be gained"
    )
    group.add_argument(
        "--from-synthesis", action="store_true",
        help="take the directions of the step's latest synthesis as candidates",
    )  # fmt: skip


def context(group: Group) -> None:
    """Add the flags that choose the models, plans and code of an iteration."""
    arguments.models(group)
    group.add_argument(
        "--repeats", type=arguments.positive, default=1, metavar="N", help="runs of each cell"
    )
    step_arguments.speed(group)
    arguments.seed(group, "cells, their order and statistics")
    lab_arguments.lab(group)
    step_arguments.host(group)
    step_arguments.repository(group)
    step_arguments.sandbox(group)
    group.add_argument(
        "--base", metavar="BRANCH", help="what candidates start from (default: the one checked out)"
    )
    step_arguments.forge(group)
    group.add_argument("--new", action="store_true", help="test the same change once more")


def phases(group: Group) -> None:
    """Add the flags that choose phases, agents and the models that judge and propose."""
    group.add_argument(
        "--analyse", choices=ANALYSE, default=ANALYSE[0],
        help="ask agents and judge: where numbers do not decide, always, or never",
    )  # fmt: skip
    arguments.agents(group)
    group.add_argument("--judge", metavar="NAME", help="the model that judges")
    group.add_argument("--proposer", metavar="NAME", help="the model that proposes")
    group.add_argument(
        "--implementer", metavar="NAME",
        help="who writes code for directions that need it: claude, codex or a model (default: the "
        "first agent)",
    )  # fmt: skip
    group.add_argument(
        "--test-command", metavar="COMMAND",
        help="how the step's tests are run on such code, with {python} and {files} (default: "
        "pytest)",
    )  # fmt: skip
    group.add_argument(
        "--skip-implement", action="store_true", help="leave out directions that need code"
    )
    group.add_argument(
        "--skip-runner", action="store_true", help="run nothing: evaluate only recorded runs"
    )
    group.add_argument("--skip-analysis", action="store_true", help="the same as --analyse never")
    group.add_argument(
        "--skip-downstream", action="store_true",
        help="leave out the steps that read the outputs; the end is at most CONDITIONAL",
    )  # fmt: skip
    group.add_argument(
        "--skip-spot-check", action="store_true",
        help="leave out the whole verify plan; the end is at most CONDITIONAL",
    )  # fmt: skip
    group.add_argument(
        "--no-early-stop", action="store_true", help="run all cells even when it is decided"
    )
    group.add_argument(
        "--merge-on-yes", action="store_true", help="merge the pull request after a real YES"
    )


def limits(group: Group) -> None:
    """Add the limits of an iteration."""
    arguments.cells(group)
    arguments.accept_failures(group)
    arguments.caps(group)
    group.add_argument(
        "--max-iterations", type=arguments.positive, default=1, metavar="N",
        help="maximum number of iterations, each with new candidates from the best so far",
    )  # fmt: skip
    arguments.dry_run(group)


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run an iteration and return the exit code."""
    options = parser(prog).parse_args(words)
    if options.max_iterations > 1 and not options.dry_run:
        # Loops are above iterations in the contract, so they are named and not imported.
        code: int = load("self_improve.optimizer.command_line:iterate")(options)
        return code
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from model_gateway import exits
    from self_improve.iteration.request import request_of
    from self_improve.iteration.start import run

    ends = exits.run(run(request_of(options), new=options.new, dry_run=options.dry_run))
    return REJECTED if ends and set(ends) == {"NO"} else OK
