"""Compare the generators on simulated landscapes, and write the report."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, say

PROG = "python -m self_improve.benchmark"
EXAMPLES = """\
examples:
  python -m self_improve.benchmark --out docs
  python -m self_improve.benchmark --seeds 5 --quick --out /tmp/quick
  python -m self_improve.benchmark --seeds 3 --generators reflective,gepa,random --steps 120 --json

Everything is SIMULATED and is not evidence about any real prompt. Finished searches are recorded in
results.jsonl beside the figures: run the same command again to resume. Searches whose step, rubric,
generator or simulation has changed since are repeated; --new repeats all. Generators that need a
package which is not installed are left out and named.

exit codes: 0 done · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = arguments.new_parser(
        prog, "Compare the candidate generators on simulated landscapes.", EXAMPLES
    )
    parser.add_argument(
        "--seeds", type=int, default=22, metavar="N",
        help="the number of landscapes (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="fewer step calls, and a shorter oracle"
    )
    parser.add_argument("--generators", metavar="A,B", help="only these (default: all, and random)")
    parser.add_argument(
        "--steps", type=int, metavar="N",
        help="step calls a search, at most 500 (default: 300, with --quick 60)",
    )  # fmt: skip
    parser.add_argument(
        "--tuned", action="store_true",
        help="run on the landscapes meant for tuning; never for reported figures",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
        help="processes side by side (default: one a core)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("benchmark"), metavar="DIR",
        help="where generators.md, figures/generators/ and the results go (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--new", action="store_true", help="repeat what was done before")
    arguments.as_json(parser, "print the ranking as JSON")
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, run the searches, write the report; return the exit code."""
    options = parser(prog).parse_args(words)
    command = " ".join([PROG, *(sys.argv[1:] if words is None else words)])
    return exit_code(lambda: _run(options, command))


def _run(options: argparse.Namespace, command: str) -> int:
    # Imported now, so that --help answers at once.
    from self_improve.benchmark import campaign, figures, report
    from self_improve.benchmark.experiments.landscapes import REPORTED, TUNED
    from self_improve.benchmark.ranking import ranking
    from self_improve.errors import UsageError

    pool = TUNED if options.tuned else REPORTED
    budget = options.steps or (60 if options.quick else 300)
    if not 1 <= options.seeds <= len(pool):
        raise UsageError(f"--seeds {options.seeds}: there are {len(pool)} landscapes.")
    if not 20 <= budget <= campaign.MOST_CELLS:
        raise UsageError(f"--steps {budget}: a search may have 20 to {campaign.MOST_CELLS}.")
    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs}: at least 1.")
    plan = campaign.Plan(
        generators=campaign.available(arguments.names(options.generators)),
        numbers=tuple(pool[: options.seeds]),
        budget=budget,
        oracle_budget=200 if options.quick else 900,
        resumed=tuple(pool[: 1 if options.quick else 2]),
        resume_budget=40 if options.quick else 60,
        jobs=options.jobs,
    )
    folder = options.out / "figures" / "generators"
    if options.new:
        (folder / campaign.RESULTS).unlink(missing_ok=True)
    results, resumed = campaign.run(plan, folder, (lambda _: None) if options.json else say)
    ranks = ranking(results)
    drawings = figures.draw(ranks, resumed, folder)
    page = report.page(ranks, resumed, results, drawings, command=command)
    (options.out / "generators.md").write_text(page, encoding="utf-8")
    if options.json:
        rows = [asdict(row) for row in ranks.rows]
        print(json.dumps({"standings": rows, "resumed": [r.to_row() for r in resumed]}, indent=2))
    else:
        print(report.table(ranks))
        print(f"SIMULATED. Written to {options.out / 'generators.md'}")
    return OK


if __name__ == "__main__":
    raise SystemExit(main())
