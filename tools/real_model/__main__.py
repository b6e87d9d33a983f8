"""Measures the product on a real model, and writes docs/real_model.md: `make real`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_gateway.arguments import amount, names, new_parser, positive
from model_gateway.errors import PlumblineError
from model_gateway.exits import OK, exit_code, say
from tools.real_model import page
from tools.real_model.campaign import Campaign, Sizes
from tools.real_model.prompts import STEPS
from tools.real_model.units import Unit

EXAMPLES = """\
examples:
  make real                                    # everything, about an hour on two idle cores
  make real REAL="--minutes 20"                # begin nothing after 20 minutes; resume later
  make real REAL="--steps plan_type --runs 3"  # less

What is done is not done again; use another folder for other sizes.

exit codes: 0 the page was written · 2 wrong usage or configuration · 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = new_parser("python -m tools.real_model", __doc__.partition("\n")[0], EXAMPLES)
    parser.add_argument("--folder", type=Path, default=Path(".real_model"), metavar="DIR")
    parser.add_argument("--steps", default=",".join(STEPS), metavar="A,B", help="which steps")
    parser.add_argument("--repeats", type=positive, default=2, help="repeats of each cell")
    parser.add_argument("--runs", type=positive, default=5, help="runs of the prompt that ships")
    parser.add_argument("--search-calls", type=positive, default=150, help="calls of a search")
    parser.add_argument("--survey-seconds", type=amount, default=300.0, help="limit of a cell")
    parser.add_argument("--minutes", type=amount, default=10_000.0, help="begin nothing after this")
    parser.add_argument(
        "--part", choices=("all", "runs", "searches", "survey", "page"), default="all",
        help="runs of prompts, searches, one cell of every step, or only write the page",
    )  # fmt: skip
    parser.add_argument("--page", type=Path, default=page.PAGE, metavar="FILE")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Parse the command line, run what is left to run, write the page."""
    options = parser().parse_args(words)
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    steps = tuple(names(options.steps))
    if unknown := [step for step in steps if step not in STEPS]:
        raise PlumblineError(f"--steps {', '.join(unknown)}: choose from {', '.join(STEPS)}.")
    sizes = Sizes(
        steps=steps, repeats=options.repeats, runs=options.runs,
        search_calls=options.search_calls, survey_seconds=options.survey_seconds,
    )  # fmt: skip
    options.folder.mkdir(parents=True, exist_ok=True)
    campaign = Campaign(options.folder, sizes)
    until = time.monotonic() + options.minutes * 60
    left = 0
    if options.part != "page":
        campaign.prepare()
    for part in ("runs", "searches", "survey"):
        if options.part in {"all", part}:
            units: Iterator[Unit] = getattr(campaign, part)()
            left += campaign.results.work_off(units, until=until)
    campaign.judge()
    page.write(campaign, options.page)
    say(f"Wrote {options.page}." + (f" {left} units are left: run it again." if left else ""))
    return OK


if __name__ == "__main__":
    raise SystemExit(main())
