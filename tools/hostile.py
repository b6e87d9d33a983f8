"""The hostile campaign: every promise that others' servers, files, code and kills could break.

Command: make hostile (the short form), make hostile LONG=--long (hours on two cores).
With --write the counts go into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_lab import atomic
from self_improve.sandbox import confinement
from tools import (
    hostile_branches,
    hostile_concurrency,
    hostile_evidence,
    hostile_files,
    hostile_keys,
    hostile_kills,
    hostile_servers,
    hostile_site,
    hostile_texts,
)

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
START, END = "<!-- counts -->", "<!-- end of counts -->"
_MOST_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often one kind of harm was tried, and each violation as a sentence."""

    kind: str
    runs: int
    violations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One promise and the attempts to break it; `short` and `long` are sizes for `counts`."""

    name: str
    promise: str
    short: int
    long: int
    counts: Callable[[int, int], Iterable[Count]]


def _branches(size: int, seed: int) -> Iterable[Count]:
    missing = confinement.lacking()
    if missing is not None:
        return [Count(kind=f"not run: {missing}", runs=0)]
    rows = hostile_branches.campaign(size, seed=seed)
    return [Count(kind=r.kind, runs=r.runs, violations=tuple(r.lines)) for r in rows]


def _servers(size: int, seed: int) -> Iterable[Count]:
    rows = hostile_servers.campaign(short=not size, seed=seed)
    return [Count(kind=r.kind, runs=r.runs, violations=r.violations) for r in rows]


def _evidence(size: int, seed: int) -> Iterable[Count]:
    for kind, runs, violations in hostile_evidence.campaign(seed=seed, rounds=size):
        broken = (f"{violations} changed runs stayed evidence",) if violations else ()
        yield Count(kind=kind, runs=runs, violations=broken)


def _files(size: int, seed: int) -> Iterable[Count]:
    rows = hostile_files.campaign(size, seed)
    return [Count(kind=r.kind, runs=r.runs, violations=tuple(r.violations)) for r in rows]


def _texts(size: int, seed: int) -> Iterable[Count]:
    rows = hostile_texts.campaign(size, seed)
    return [Count(kind=r.kind, runs=r.runs, violations=tuple(r.violations)) for r in rows]


def _rows(
    campaign: Callable[[int, int], Iterable[hostile_site.Row]],
) -> Callable[[int, int], Iterable[Count]]:
    def counts(size: int, seed: int) -> Iterable[Count]:
        rows = campaign(size, seed)
        return [Count(kind=r.kind, runs=r.runs, violations=r.violations) for r in rows]

    return counts


CAMPAIGNS = (
    Campaign(
        name="texts", counts=_texts, short=1000, long=5200,
        promise="A candidate's text stays a text: the rest of its module is unchanged.",
    ),
    Campaign(
        name="files", counts=_files, short=2000, long=20_000,
        promise="A damaged file ends in one sentence that names it, in bounded time and memory.",
    ),
    Campaign(
        name="evidence", counts=_evidence, short=1, long=10,
        promise="A finished run that was changed is named, and stops being evidence.",
    ),
    Campaign(
        name="keys", counts=_rows(hostile_keys.rows), short=1, long=20,
        promise="A key reaches no record, commit, pull request or output, whatever its form.",
    ),
    Campaign(
        name="servers", counts=_servers, short=0, long=1,
        promise="A misbehaving server leaks nothing, exceeds no cap and harms no other model.",
    ),
    Campaign(
        name="branches", counts=_branches, short=60, long=1000,
        promise="Code of a stranger's branch reads, sends, writes and leaves nothing.",
    ),
    Campaign(
        name="kills", counts=_rows(hostile_kills.rows), short=1, long=100,
        promise="After a kill the same command finishes, repeats no finished call, loses nothing.",
    ),
    Campaign(
        name="concurrency", counts=_rows(hostile_concurrency.rows), short=1, long=20,
        promise="Commands that share a data repo do not collide.",
    ),
)  # fmt: skip


def page(results: Sequence[tuple[Campaign, Sequence[Count], float]], head: str) -> str:
    """Return the tables of the campaigns that were run, as Markdown."""
    lines = [head, "", "| promise | tried | violations | minutes |", "|---|--:|--:|--:|"]
    for campaign, counts, seconds in results:
        runs = sum(one.runs for one in counts)
        broken = sum(len(one.violations) for one in counts)
        lines.append(f"| {campaign.promise} | {runs:,} | {broken} | {seconds / 60:.1f} |")
    for campaign, counts, _ in results:
        lines += ["", f"### {campaign.name}", "", "| kind | tried | violations |", "|---|--:|--:|"]
        lines += [f"| {one.kind} | {one.runs:,} | {len(one.violations)} |" for one in counts]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.hostile", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long form (hours)")
    parser.add_argument("--seed", type=int, default=1, help="of all draws (default: 1)")
    names = [campaign.name for campaign in CAMPAIGNS]
    parser.add_argument("--only", action="append", choices=names, help="only this campaign")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaigns, print their counts, and return 1 if a promise was broken."""
    options = parser().parse_args(words)
    results = []
    for campaign in CAMPAIGNS:
        if options.only and campaign.name not in options.only:
            continue
        began = time.monotonic()
        size = campaign.long if options.long else campaign.short
        counts = list(campaign.counts(size, options.seed))
        results.append((campaign, counts, time.monotonic() - began))
        for one in counts:
            print(f"{campaign.name:12} {one.kind:40} {one.runs:6} {len(one.violations):4}")
            for violation in one.violations[:_MOST_SHOWN]:
                print(f"    {violation}")
        sys.stdout.flush()
    if options.write:
        form = "long" if options.long else "short"
        text = PAGE.read_text(encoding="utf-8")
        start, rest = text.split(START)
        end = rest.split(END)[1]
        head = f"The {form} form, with seed {options.seed}:"
        new = f"{start}{START}\n{page(results, head)}\n{END}{end}"
        atomic.write(PAGE, new.encode())
    return 1 if any(one.violations for _, counts, _ in results for one in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
