"""Compare the generators on simulated landscapes, and write what came of it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

EXAMPLES = """\
examples:
  python -m self_improve.benchmark --out docs
  python -m self_improve.benchmark --seeds 5 --quick --out /tmp/quick
  python -m self_improve.benchmark --seeds 3 --generators reflective,gepa,random --steps 120 --json

Everything is SIMULATED and no evidence about any real prompt. What is done stands in
results.jsonl beside the figures: the same command goes on where a killed one ended, unless the
searches would now be made with another step, rubric, generator or simulation; --new begins again.
Generators that need a package which is not installed are left out and named.

exit codes: 0 done · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = "python -m self_improve.benchmark") -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Compare the candidate generators on simulated landscapes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--seeds",
        type=int,
        default=22,
        metavar="N",
        help="so many landscapes (default: 22)",
    )
    made.add_argument("--quick", action="store_true", help="fewer step calls, and a shorter oracle")
    made.add_argument("--generators", metavar="A,B", help="only these (default: all, and random)")
    made.add_argument(
        "--steps", type=int, metavar="N",
        help="step calls a search, at most 500 (default: 300, with --quick 60)",
    )  # fmt: skip
    made.add_argument(
        "--tuned", action="store_true",
        help="run on the landscapes meant for tuning; never for reported figures",
    )  # fmt: skip
    made.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
        help="processes side by side (default: one a core)",
    )  # fmt: skip
    made.add_argument(
        "--out", type=Path, default=Path("benchmark"), metavar="DIR",
        help="where generators.md, figures/generators/ and the results go (default: benchmark)",
    )  # fmt: skip
    made.add_argument("--new", action="store_true", help="begin again, whatever was done before")
    made.add_argument("--json", action="store_true", help="print the standings as JSON")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, run the searches, write the report; return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help answers at once.
    from self_improve.benchmark import campaign, figures, report
    from self_improve.benchmark.landscapes import REPORTED, TUNED
    from self_improve.benchmark.ranking import ranking
    from self_improve.errors import ImproveError, UsageError

    try:
        pool = TUNED if options.tuned else REPORTED
        budget = options.steps or (60 if options.quick else 300)
        if not 1 <= options.seeds <= len(pool):
            raise UsageError(f"--seeds {options.seeds}: there are {len(pool)} landscapes.")
        if not 20 <= budget <= campaign.MOST_CELLS:
            raise UsageError(f"--steps {budget}: a search may have 20 to {campaign.MOST_CELLS}.")
        if options.jobs < 1:
            raise UsageError(f"--jobs {options.jobs}: at least 1.")
        names = [name.strip() for name in (options.generators or "").split(",") if name.strip()]
        plan = campaign.Plan(
            generators=campaign.available(names),
            numbers=tuple(pool[: options.seeds]),
            budget=budget,
            oracle_budget=200 if options.quick else 900,
            resumed=tuple(pool[: 1 if options.quick else 2]),
            resume_budget=40 if options.quick else 60,
            jobs=options.jobs,
        )
        place = options.out / "figures" / "generators"
        kept = place / campaign.RESULTS
        if options.new:
            kept.unlink(missing_ok=True)
        told = (lambda _: None) if options.json else _progress
        results, resumed = campaign.run(plan, place, told)
        found = ranking(results)
        drawn = figures.draw(found, resumed, place)
        page = report.page(found, resumed, results, drawn, command=_command(arguments))
        (options.out / "generators.md").write_text(page, encoding="utf-8")
    except (ImproveError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    if options.json:
        rows = [asdict(row) for row in found.rows]
        print(json.dumps({"standings": rows, "resumed": [r.to_row() for r in resumed]}, indent=2))
    else:
        print(report.table(found))
        print(f"SIMULATED. Written to {options.out / 'generators.md'}")
    return 0


def _progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _command(arguments: Sequence[str] | None) -> str:
    words = sys.argv[1:] if arguments is None else list(arguments)
    return " ".join(["python -m self_improve.benchmark", *words])


if __name__ == "__main__":
    raise SystemExit(main())
