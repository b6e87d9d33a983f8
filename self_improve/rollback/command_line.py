"""`plumbline rollback`: parses, builds, restores, tells."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from self_improve.exits import ended

if TYPE_CHECKING:
    import argparse
import argparse
from pathlib import Path

from self_improve.iteration.command_line import FORGES

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


OK = 0


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Open the pull request that restores a best, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    return ended(lambda: _rolled_back(options))


def _rolled_back(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from self_improve import exits

    exits.run(_run(options))
    return OK


async def _run(options: argparse.Namespace) -> None:
    """Do what was asked.

    Raises:
        GatewayError, ImproveError, LabError, OSError: as the message says.
    """
    import os

    from model_gateway import config
    from prompt_lab import layout
    from self_improve.host import contract
    from self_improve.iteration.request import branch_of
    from self_improve.iteration.start import forge_named
    from self_improve.rollback import bests, pages
    from self_improve.rollback.restoration import RestorationRequest, Rollback

    lab = layout.find(options.prompt_lab_dir)
    if options.list:
        sys.stdout.write(pages.listing(bests.read(lab, options.step)))
        return
    bests.read(lab, options.step)  # Before a forge is asked for anything.
    code = (options.repo or contract.own_code()).expanduser().resolve()
    order = RestorationRequest(
        step=options.step, to=options.to, reason=options.reason, layout=lab, code=code,
        base=options.base or branch_of(code), host_file=options.host, catalogue=config.load(),
    )  # fmt: skip
    repository = options.github_repo or os.environ.get("GITHUB_REPOSITORY")
    rollback = Rollback(order, forge_named(options.forge, lab, repository), _say)
    await (rollback.dry_run() if options.dry_run else rollback.run())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
