"""`plumbline rollback`: parses, builds, restores, tells."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from self_improve.ending import ended
from self_improve.rollback.options import parser

if TYPE_CHECKING:
    import argparse

OK = 0


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Open the pull request that restores a best, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    return ended(lambda: _rolled_back(options))


def _rolled_back(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from self_improve import interruption

    interruption.run(_run(options))
    return OK


async def _run(options: argparse.Namespace) -> None:
    """Do what was asked.

    Raises:
        GatewayError, ImproveError, LabError, OSError: as the message says.
    """
    import os

    from model_gateway import config
    from prompt_lab import layout
    from self_improve import host
    from self_improve.iteration.running import forge_named
    from self_improve.iteration.wish import branch_of
    from self_improve.rollback import bests, telling
    from self_improve.rollback.restoring import Order, Rollback

    lab = layout.find(options.prompt_lab_dir)
    if options.list:
        sys.stdout.write(telling.listing(bests.read(lab, options.step)))
        return
    bests.read(lab, options.step)  # Before a forge is asked for anything.
    code = (options.repo or host.own_code()).expanduser().resolve()
    order = Order(
        step=options.step, to=options.to, reason=options.reason, layout=lab, code=code,
        base=options.base or branch_of(code), host_file=options.host, catalogue=config.load(),
    )  # fmt: skip
    repository = options.github_repo or os.environ.get("GITHUB_REPOSITORY")
    rollback = Rollback(order, forge_named(options.forge, lab, repository), _say)
    await (rollback.dry_run() if options.dry_run else rollback.run())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
