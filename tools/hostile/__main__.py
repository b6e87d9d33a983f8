"""The hostile campaign: every promise that others' servers, files, code and kills could break.

Command: make hostile (the short form), make hostile LONG=--long (hours on two cores).
With --write the counts go into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_lab import atomic
from self_improve.sandbox import confinement
from tools.hostile import (
    branches,
    concurrency,
    evidence,
    files,
    keys,
    kills,
    servers,
    texts,
)
from tools.hostile.row import Row

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
START, END = "<!-- counts -->", "<!-- end of counts -->"
_MOST_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One promise and the attempts to break it; `short` and `long` are sizes for `rows`."""

    name: str
    promise: str
    short: int
    long: int
    rows: Callable[[int, int, str], Iterator[Row]]


CAMPAIGNS = (
    Campaign(
        name="texts", rows=texts.campaign, short=1000, long=5200,
        promise="A candidate's text stays a text: the rest of its module is unchanged.",
    ),
    Campaign(
        name="files", rows=files.campaign, short=2000, long=20_000,
        promise="A damaged file ends in one sentence that names it, in bounded time and memory.",
    ),
    Campaign(
        name="evidence", rows=evidence.campaign, short=1, long=10,
        promise="A finished run that was changed is named, and stops being evidence.",
    ),
    Campaign(
        name="keys", rows=keys.campaign, short=1, long=20,
        promise="A key reaches no record, commit, pull request or output, whatever its form.",
    ),
    Campaign(
        name="servers", rows=servers.campaign, short=5, long=300,
        promise="A misbehaving server leaks nothing, exceeds no cap and harms no other model.",
    ),
    Campaign(
        name="branches", rows=branches.campaign, short=60, long=1000,
        promise="Code of a stranger's branch reads, sends, writes and leaves nothing.",
    ),
    Campaign(
        name="kills", rows=kills.campaign, short=1, long=100,
        promise="After a kill the same command finishes, repeats no finished call, loses nothing.",
    ),
    Campaign(
        name="concurrency", rows=concurrency.campaign, short=1, long=20,
        promise="Commands that share a data repo do not collide.",
    ),
)  # fmt: skip


def page(results: Sequence[tuple[Campaign, Sequence[Row], float]], head: str) -> str:
    """Return the tables of the campaigns that were run, as Markdown."""
    lines = [head, "", "| promise | tried | violations | minutes |", "|---|--:|--:|--:|"]
    for campaign, rows, seconds in results:
        runs = sum(row.runs for row in rows)
        broken = sum(len(row.violations) for row in rows)
        lines.append(f"| {campaign.promise} | {runs:,} | {broken} | {seconds / 60:.1f} |")
    for campaign, rows, _ in results:
        lines += ["", f"### {campaign.name}", "", "| kind | tried | violations |", "|---|--:|--:|"]
        lines += [f"| {row.kind} | {row.runs:,} | {len(row.violations)} |" for row in rows]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.hostile", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long form (hours)")
    parser.add_argument("--seed", type=int, default=1, help="of all draws (default: 1)")
    names = [campaign.name for campaign in CAMPAIGNS]
    parser.add_argument("--only", action="append", choices=names, help="only this campaign")
    parser.add_argument("--match", default="", metavar="REGEX", help="only such kinds, or faults")
    parser.add_argument("--size", type=int, metavar="N", help="instead of the form's own")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaigns, print their counts, and return 1 if a promise was broken.

    Returns 2 if a campaign cannot run here, or tried nothing.
    """
    options = parser().parse_args(words)
    missing = confinement.lacking()
    results = []
    for campaign in CAMPAIGNS:
        if options.only and campaign.name not in options.only:
            continue
        if campaign.name == "branches" and missing is not None:
            print(f"branches: not run: {missing}.", file=sys.stderr)
            continue
        size = options.size or (campaign.long if options.long else campaign.short)
        began, rows = time.monotonic(), []
        for row in campaign.rows(size, options.seed, options.match):
            if options.match and not row.runs:
                continue
            rows.append(row)
            count = len(row.violations)
            print(f"{campaign.name:12} {row.kind:44} {row.runs:6} {count:4}", flush=True)
            for violation in row.violations[:_MOST_SHOWN]:
                print(f"    {violation}", flush=True)
        results.append((campaign, rows, time.monotonic() - began))
    tried = [row for _, rows, _ in results for row in rows if row.runs]
    if not tried:
        what = f": no kind matches {options.match!r}" if options.match else ""
        print(f"Nothing was tried{what}.", file=sys.stderr)
        return 2
    if options.write:
        form = "long" if options.long else "short"
        text = PAGE.read_text(encoding="utf-8")
        start, rest = text.split(START)
        head = f"The {form} form, with seed {options.seed}:"
        new = f"{start}{START}\n{page(results, head)}\n{END}{rest.split(END)[1]}"
        atomic.write(PAGE, new.encode())
    return int(any(row.violations for row in tried))


if __name__ == "__main__":
    sys.exit(main())
