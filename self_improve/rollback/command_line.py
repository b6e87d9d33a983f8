"""The command line of `plumbline rollback`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, run, say
from model_gateway.foreign_files import resolved
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

PROG = "python -m self_improve.rollback"
EXAMPLES = """\
examples:
  # list the bests that the step has had
  python -m self_improve.rollback identify_potential_levers --list

  # show what restoring the previous best would change, then open the pull request
  python -m self_improve.rollback identify_potential_levers --dry-run
  python -m self_improve.rollback identify_potential_levers --reason "longer in production"

  # to the best of iteration 12, on GitHub; to the step's first baseline
  python -m self_improve.rollback plan_type --to 12 --forge github --github-repo OWNER/NAME
  python -m self_improve.rollback plan_type --to baseline

Every text that the step sends is set to what it was in the commit of that best. Nothing is merged.
Run again, the same command finds the open pull request.

exit codes: 0 the pull request is open, or nothing is left to restore · 2 wrong usage or
configuration, or there is no such best · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of a rollback."""
    parser = arguments.new_parser(
        prog, "Open the pull request that restores an earlier best of a step.", EXAMPLES
    )
    parser.add_argument("step", metavar="STEP", help="the step, as `plumbline steps` names it")
    parser.add_argument(
        "--to", metavar="CANDIDATE|ITERATION|COMMIT",
        help="the best to restore (default: the one before the current)",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the step's bests; change nothing")
    arguments.dry_run(parser, "show what would change; open nothing")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for reviewers")
    lab_arguments.lab(parser)
    step_arguments.host(parser)
    step_arguments.repository(parser)
    step_arguments.sandbox(parser)
    parser.add_argument(
        "--base", metavar="BRANCH", help="the branch to change (default: the one checked out)"
    )
    step_arguments.forge(parser)
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Open the pull request that restores a best, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: run(_run(options)))


async def _run(options: argparse.Namespace) -> int:
    """Do what was asked.

    Raises:
        PlumblineError, OSError: as the message says.
    """
    # Imported now, so that --help answers at once.
    import os

    from model_gateway import entry_files
    from prompt_lab import layout, leaks
    from self_improve.host import contract
    from self_improve.iteration.request import branch_of
    from self_improve.iteration.start import forge_named
    from self_improve.rollback import bests, pages
    from self_improve.rollback.restoration import RestorationRequest, Rollback
    from self_improve.sandbox import choice

    lab = layout.find(options.prompt_lab_dir)
    entries = bests.read(lab, options.step)  # Before a forge is asked for anything.
    if options.list:
        sys.stdout.write(pages.listing(entries))
        return OK
    code = resolved(options.repo or contract.own_code())
    request = RestorationRequest(
        step=options.step, to=options.to, reason=options.reason, layout=lab, code=code,
        base=options.base or branch_of(code), host_file=options.host, catalogue=entry_files.load(),
        sandbox=choice.wished(options.sandbox),
    )  # fmt: skip
    redactor = request.catalogue.redactor("GITHUB_TOKEN")
    leaks.require_none_in_options(redactor, vars(options))
    repository = options.github_repo or os.environ.get("GITHUB_REPOSITORY")
    forge = forge_named(options.forge, lab, repository, redactor=redactor)
    rollback = Rollback(request, forge, say)
    await (rollback.dry_run() if options.dry_run else rollback.run())
    return OK
