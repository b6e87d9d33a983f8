"""`run_optimization_iteration.py`: parses, builds, runs, tells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model_gateway import arguments
from self_improve.arguments import SPEEDS
from self_improve.command_line import load
from self_improve.exits import ended

ANALYSE = ("auto", "always", "never")

FORGES = ("local", "github")

EXAMPLES = """\
examples:
  # a prompt of your own against the one in the code, on two models
  python run_optimization_iteration.py --step identify_potential_levers --models llama,haiku \\
      --prompt LEVERS_SYSTEM_PROMPT=better.txt --expect items:higher --max-cost 5

  # the change of an open pull request
  python run_optimization_iteration.py --step plan_type --models haiku --forge github --pr 12

  # let the reflective generator propose three candidates; what would it cost?
  python run_optimization_iteration.py --step plan_type --models haiku --candidates 3 --dry-run

  # try it all without keys
  python run_optimization_iteration.py --step identify_potential_levers --models sim,sim-weak \\
      --candidates 1

The same command goes on where an interrupted one stopped. Nothing is ever merged before a YES, and
only with --merge-on-yes.

exit codes: 0 it ended with YES, CONDITIONAL or INCONCLUSIVE · 1 it ended with NO · 2 wrong usage
or configuration · 3 budget reached · 130 interrupted
"""


def parser(prog: str = "python run_optimization_iteration.py") -> argparse.ArgumentParser:
    """Return the parser of an iteration."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Judge a change to a step's prompts, from a candidate to a pull request.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _what(made.add_argument_group("what is judged"))
    where(made.add_argument_group("on what"))
    phases(made.add_argument_group("phases"))
    limits(made.add_argument_group("limits"))
    return made


def _what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--step", required=True, help="the step, as `plumbline steps` names it")
    group.add_argument(
        "--prompt", action="append", default=[], metavar="SURFACE=FILE",
        help="a candidate as texts: a prompt surface and the file of its new text; may be repeated",
    )  # fmt: skip
    group.add_argument("--branch", metavar="NAME", help="a candidate as code: a branch")
    group.add_argument("--pr", type=int, metavar="N", help="a candidate as code: a pull request")
    group.add_argument(
        "--candidates",
        type=arguments.whole,
        default=0,
        metavar="N",
        help="have N candidates proposed",
    )
    group.add_argument(
        "--generator", default="reflective", metavar="NAME",
        help="what proposes them; `plumbline generators` lists all (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--force", action="store_true", help="search also where there is next to nothing to gain"
    )
    small(group)
    group.add_argument(
        "--from-synthesis", action="store_true",
        help="take the directions of the step's latest synthesis as candidates",
    )  # fmt: skip
    group.add_argument(
        "--expect", action="append", default=[], metavar="METRIC:DIRECTION",
        help="what should move: METRIC:lower or :higher, then :model=… or :plan=…",
    )  # fmt: skip
    group.add_argument("--rationale", default="", metavar="TEXT", help="why, for reviewers")


def small(group: argparse._ArgumentGroup) -> None:
    """Add what makes a search fit a small model."""
    group.add_argument(
        "--small", action="store_true",
        help="propose as a small local model can: short calls, larger populations",
    )  # fmt: skip


def where(group: argparse._ArgumentGroup) -> None:
    """Add what says on which models, plans and code an iteration runs."""
    group.add_argument(
        "--model", action="append", default=[], metavar="NAME",
        help="a model or its alias; repeat it for several (default: the configured list)",
    )  # fmt: skip
    group.add_argument(
        "--models", action="append", default=[], metavar="A,B", help="the same, listed"
    )
    group.add_argument(
        "--repeats", type=arguments.positive, default=1, metavar="N", help="runs of each cell"
    )
    group.add_argument("--speed", choices=SPEEDS, default=SPEEDS[0], help="how much work to do")
    group.add_argument("--seed", type=int, default=1, help="seed of cells, order and statistics")
    group.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    group.add_argument(
        "--host", type=Path, metavar="FILE", help="a host.toml (default: worker_plan)"
    )
    group.add_argument(
        "--repo", type=Path, metavar="DIR",
        help="the git repository of the pipeline's code (default: the one it lies in)",
    )  # fmt: skip
    group.add_argument(
        "--base", metavar="BRANCH", help="what candidates start from (default: the one checked out)"
    )
    group.add_argument("--forge", choices=FORGES, default=FORGES[0], help="where pull requests are")
    group.add_argument(
        "--github-repo",
        metavar="OWNER/NAME",
        help="the repository on GitHub (or GITHUB_REPOSITORY)",
    )
    group.add_argument("--new", action="store_true", help="judge the same change once more")


def phases(group: argparse._ArgumentGroup) -> None:
    """Add what says which phases there are, and who looks and judges."""
    group.add_argument(
        "--analyse", choices=ANALYSE, default=ANALYSE[0],
        help="agents and judge: where numbers leave it open, always, or never",
    )  # fmt: skip
    group.add_argument(
        "--agents", metavar="A,B",
        help="two agents: claude, codex or names of models (default: what is installed)",
    )  # fmt: skip
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
        "--skip-implement", action="store_true", help="take no direction that needs code"
    )
    group.add_argument(
        "--skip-runner", action="store_true", help="run nothing: only what is recorded is judged"
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


def limits(group: argparse._ArgumentGroup) -> None:
    """Add what limits an iteration."""
    arguments.cells(group)
    arguments.caps(group)
    group.add_argument(
        "--max-iterations", type=arguments.positive, default=1, metavar="N",
        help="go on with new candidates from the best so far, at most so often",
    )  # fmt: skip
    group.add_argument(
        "--dry-run", action="store_true", help="show what it would do and cost; send nothing"
    )


OK, REJECTED = 0, 1


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run an iteration and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    if options.max_iterations > 1 and not options.dry_run:
        # Loops stand above iterations, so they are named and not imported.
        several: int = load("self_improve.optimizer.command_line:iterate")(options)
        return several
    return ended(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from self_improve import exits
    from self_improve.iteration.request import request_of
    from self_improve.iteration.start import run

    ends = exits.run(run(request_of(options), new=options.new, dry_run=options.dry_run))
    return REJECTED if ends and set(ends) == {"NO"} else OK
