"""Phase 0 as a command: checks a pull request, measures the runs there are, writes the facts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model_gateway import arguments
from self_improve.iteration.options import FORGES

OK, USAGE, INTERRUPTED = 0, 2, 130
PROG = "python -m analysis.prepare_iteration"
EXAMPLES = f"""\
examples:
  # the runs of both sides are found by the commits that they were made from
  {PROG} --step plan_type --pr 12 --forge github --github-repo OWNER/NAME

  # named runs: paths, or numbers as `plumbline compare` takes them
  {PROG} --step plan_type --pr 3 --before 131 132 --after 138 139

It asks no model and judges nothing: python -m analysis.run_insight goes on from there. The same
command finds what it has written.

exit codes: 0 the facts are written · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of phase 0."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Write down the facts of a pull request's runs, for agents to look at.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--step", required=True, help="the step, as `plumbline steps` names it")
    made.add_argument(
        "--pr", type=int, required=True, metavar="N", help="the pull request, which must be open"
    )
    for side, commit in (("before", "the base"), ("after", "the pull request")):
        made.add_argument(
            f"--{side}", nargs="+", default=[], metavar="RUN",
            help=f"the runs on that side (default: the finished ones of {commit}'s commit)",
        )  # fmt: skip
    made.add_argument(
        "--expect", action="append", default=[], metavar="METRIC:DIRECTION",
        help="what should move, as for an iteration; may be repeated",
    )  # fmt: skip
    made.add_argument(
        "--iteration", type=arguments.whole, metavar="N",
        help="the number in analysis/ (default: the next one)",
    )  # fmt: skip
    made.add_argument("--seed", type=int, default=1, help="seed of the statistics")
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument(
        "--repo", type=Path, metavar="DIR",
        help="the git repository of the pipeline's code (default: the one it lies in)",
    )  # fmt: skip
    made.add_argument("--forge", choices=FORGES, default=FORGES[0], help="where pull requests are")
    made.add_argument(
        "--github-repo", metavar="OWNER/NAME",
        help="the repository on GitHub (or GITHUB_REPOSITORY)",
    )  # fmt: skip
    return made


def main(given: Sequence[str] | None = None) -> int:
    """Write the facts and return the exit code."""
    options = parser().parse_args(given)
    # Everything else is imported now, so that --help answers at once.
    from analysis.errors import AnalysisError
    from analysis.groundwork import prepared
    from prompt_lab.errors import LabError
    from rubrics.errors import RubricError
    from self_improve.errors import ImproveError

    try:
        record = prepared(options)
    except (AnalysisError, ImproveError, LabError, OSError, RubricError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command begins anew; nothing was written.\n")
        return INTERRUPTED
    print(f"Written to {record.path}")
    return OK
