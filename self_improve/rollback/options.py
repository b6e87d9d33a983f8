"""The flags of a rollback, and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from self_improve.iteration.options import FORGES

EXAMPLES = """\
examples:
  # which bests has the step had?
  python -m self_improve.rollback identify_potential_levers --list

  # what would going back to the one before change? then open the pull request
  python -m self_improve.rollback identify_potential_levers --dry-run
  python -m self_improve.rollback identify_potential_levers --reason "longer in production"

  # to the best of iteration 12, on GitHub; to what the step began with
  python -m self_improve.rollback plan_type --to 12 --forge github --github-repo OWNER/NAME
  python -m self_improve.rollback plan_type --to baseline

Every text that the step sends becomes again what it was in the commit of that best. Nothing is
merged. The same command finds the pull request that is open.

exit codes: 0 the pull request is open, or nothing is left to restore · 2 wrong usage or
configuration, or there is no such best · 130 interrupted
"""


def parser(prog: str = "python -m self_improve.rollback") -> argparse.ArgumentParser:
    """Return the parser of a rollback."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Open the pull request that restores an earlier best of a step.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("step", metavar="STEP", help="the step, as `plumbline steps` names it")
    made.add_argument(
        "--to", metavar="CANDIDATE|ITERATION|COMMIT",
        help="the best to restore (default: the one before the current)",
    )  # fmt: skip
    made.add_argument("--list", action="store_true", help="list the step's bests; change nothing")
    made.add_argument("--dry-run", action="store_true", help="show what would change; open nothing")
    made.add_argument("--reason", default="", metavar="TEXT", help="why, for reviewers")
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument(
        "--host", type=Path, metavar="FILE", help="a host.toml (default: worker_plan)"
    )
    made.add_argument(
        "--repo", type=Path, metavar="DIR",
        help="the git repository of the pipeline's code (default: the one it lies in)",
    )  # fmt: skip
    made.add_argument(
        "--base", metavar="BRANCH", help="what is to be mended (default: the branch checked out)"
    )
    made.add_argument("--forge", choices=FORGES, default=FORGES[0], help="where pull requests are")
    made.add_argument(
        "--github-repo", metavar="OWNER/NAME",
        help="the repository on GitHub (or GITHUB_REPOSITORY)",
    )  # fmt: skip
    return made
