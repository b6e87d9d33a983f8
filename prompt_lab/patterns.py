"""Patterns: kinds of change that earned KEEP on one step, offered to others, and their failures."""

from __future__ import annotations

import argparse
import difflib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_gateway import arguments
from model_gateway.attempt import digest_of
from model_gateway.exits import OK, exit_code
from model_gateway.foreign_files import as_recorded
from model_gateway.jsonl import Appender, Row, read_rows
from prompt_lab import arguments as lab_arguments
from prompt_lab import layout as layouts
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from prompt_lab.markup import plain_line

PROG = "python -m prompt_lab.patterns"
WORKED, FAILED, OPEN = "worked", "failed", "open"
TRY = "to try"
_LONGEST, _SHOWN = 600, 160
_OFFERED = 5
_NO, _KEEP = "NO", "KEEP"
EXAMPLES = """\
examples:
  # every pattern that earned KEEP somewhere, and where it failed
  python -m prompt_lab.patterns

  # the patterns to try for a step, as JSON
  python -m prompt_lab.patterns --step identify_purpose --json

exit codes: 0 listed · 2 wrong usage or no data repo
"""


class PatternError(LabError):
    """This outcome cannot be stored as a pattern; nothing else is wrong."""


@dataclass(frozen=True, kw_only=True)
class CandidateOutcome:
    """How one candidate of an iteration ended.

    `change` describes the kind of change in words; `before` and `after` are the changed texts by
    surface id. `word` is the evaluator's (KEEP, REJECT, INCONCLUSIVE), `end` the iteration's
    (YES, NO, CONDITIONAL, INCONCLUSIVE). `pattern` is the id of the pattern that was offered and
    tried, if it came from one.
    """

    step: str
    iteration: str
    candidate: str
    change: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    word: str
    end: str
    effect: float | None = None
    simulated: bool = False
    models: Sequence[str] = ()
    pattern: str | None = None

    @property
    def status(self) -> str:
        """Worked: it earned KEEP and did not end with NO; failed: it ended with NO."""
        if self.end == _NO:
            return FAILED
        return WORKED if self.word == _KEEP else OPEN


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A kind of change and its outcomes.

    `excerpts` are the digests of the lines removed and added where it was tried first; `worked`,
    `failed` and `undecided` are steps. `real` says that it earned KEEP on models that are not
    simulated.
    """

    id: str
    change: str
    excerpts: Mapping[str, Any]
    worked: tuple[str, ...]
    failed: tuple[str, ...]
    undecided: tuple[str, ...]
    real: bool
    outcomes: tuple[Row, ...] = field(repr=False)

    def status(self, step: str) -> str:
        """Return its status on a step."""
        steps = {WORKED: self.worked, FAILED: self.failed, OPEN: self.undecided}
        return next((word for word, names in steps.items() if step in names), TRY)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "id": self.id, "change": self.change, "excerpts": dict(self.excerpts),
            "worked": list(self.worked), "failed": list(self.failed),
            "undecided": list(self.undecided), "simulated": not self.real,
            "trials": len(self.outcomes),
        }  # fmt: skip


def remember(layout: Layout, outcome: CandidateOutcome) -> str:
    """Append how a candidate ended, once however often this is called; return the pattern's id.

    A candidate from a pattern gets that pattern's id; another one the id of its description, or
    of its excerpts if it has no description.

    Raises:
        PatternError: the pattern is unknown, or nothing was changed.
        LabError: another process holds the patterns.
        OSError: the data repo cannot be written.
    """
    excerpts = _excerpts(outcome.before, outcome.after)
    if not excerpts["removed"] and not excerpts["added"]:
        raise PatternError(f"{outcome.candidate} changes nothing, so it has no pattern.")
    change = outcome.change.strip()[:_LONGEST]
    with claim(layout, "patterns", wait_seconds=60.0):
        rows = read_rows(layout.patterns)[0]
        ids = {str(row["pattern"]) for row in rows if "pattern" in row}
        if outcome.pattern is not None and outcome.pattern not in ids:
            raise PatternError(f"There is no pattern {outcome.pattern} in {layout.patterns}.")
        name = outcome.pattern or _id(change, excerpts)
        identity = (outcome.iteration, outcome.candidate)
        for row in rows:
            if (row.get("iteration"), row.get("candidate")) == identity:
                return str(row["pattern"])
        row = {
            "pattern": name, "change": change, "excerpts": excerpts, "step": outcome.step,
            "iteration": outcome.iteration, "candidate": outcome.candidate,
            "status": outcome.status, "word": outcome.word, "end": outcome.end,
            "effect": outcome.effect, "simulated": outcome.simulated,
            "models": list(outcome.models),
        }  # fmt: skip
        with Appender(layout.patterns) as file:
            file.append(row, sync=True)
    return name


def read(layout: Layout) -> list[Pattern]:
    """Return every pattern that was ever tried, in the order of the first attempts."""
    by_pattern: dict[str, list[Row]] = {}
    for row in read_rows(layout.patterns)[0]:
        if isinstance(row.get("pattern"), str) and isinstance(row.get("step"), str):
            by_pattern.setdefault(row["pattern"], []).append(row)
    with as_recorded(layout.patterns):
        return [_pattern(name, rows) for name, rows in by_pattern.items()]


def offered(layout: Layout, step: str, *, simulated: bool = False) -> list[Pattern]:
    """Return the patterns to try on a step: those that worked elsewhere and are undecided on it.

    Those that worked on the most steps, minus those they failed on, come first. With `simulated`
    they include patterns that only simulated models have tested.
    """
    usable = [
        one
        for one in read(layout)
        if one.worked and (one.real or simulated) and one.status(step) in {TRY, OPEN}
    ]
    return sorted(usable, key=lambda one: len(one.failed) - len(one.worked))


def material(patterns: Sequence[Pattern]) -> list[Row]:
    """Return the first few patterns as data for a model that proposes candidates.

    A change without a description would say nothing to a model, and is left out.
    """
    described = [one for one in patterns if one.change.strip()]
    return [
        {
            "id": one.id, "change": " ".join(one.change.split()),
            "worked_on": list(one.worked), "failed_on": list(one.failed),
        }
        for one in described[:_OFFERED]
    ]  # fmt: skip


def _pattern(name: str, rows: Sequence[Row]) -> Pattern:
    first = rows[0]
    # A step's latest decided outcome counts; an undecided one does not replace it.
    status: dict[str, str] = {}
    for row in rows:
        if row.get("status") in {WORKED, FAILED} or row["step"] not in status:
            status[row["step"]] = str(row.get("status"))
    return Pattern(
        id=name, change=str(first.get("change", "")), excerpts=first.get("excerpts") or {},
        worked=tuple(step for step, word in status.items() if word == WORKED),
        failed=tuple(step for step, word in status.items() if word == FAILED),
        undecided=tuple(step for step, word in status.items() if word == OPEN),
        real=any(row.get("status") == WORKED and not row.get("simulated") for row in rows),
        outcomes=tuple(rows),
    )  # fmt: skip


def _id(change: str, excerpts: Mapping[str, Any]) -> str:
    """Return a pattern's id, which does not depend on case and spaces of the description."""
    words = " ".join(unicodedata.normalize("NFKC", change).casefold().split())
    return digest_of(words or [excerpts["removed"], excerpts["added"]])[:12]


def _excerpts(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """Return digests and sizes, in characters, of the lines removed and added."""
    removed: list[str] = []
    added: list[str] = []
    for surface in sorted({*before, *after}):
        old, new = (texts.get(surface, "").splitlines() for texts in (before, after))
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
            if kind != "equal":
                removed += old[old_from:old_to]
                added += new[new_from:new_to]
    return {
        "removed": [digest_of(text) for text in removed],
        "added": [digest_of(text) for text in added],
        "removed_chars": sum(map(len, removed)),
        "added_chars": sum(map(len, added)),
    }


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = arguments.new_parser(
        prog, "List the kinds of change that earned KEEP, and where they failed.", EXAMPLES
    )
    parser.add_argument("--step", help="show which of them to try on this step")
    lab_arguments.lab(parser)
    arguments.as_json(parser)
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, list, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _list(options))


def _list(options: argparse.Namespace) -> int:
    lab, step = layouts.find(options.prompt_lab_dir), options.step
    patterns = [one for one in read(lab) if one.worked]
    if step:
        ids = [one.id for one in offered(lab, step, simulated=True)]
        patterns.sort(key=lambda one: ids.index(one.id) if one.id in ids else len(ids))
    if options.json:
        rows = [one.to_row() | ({"here": one.status(step)} if step else {}) for one in patterns]
        print(json.dumps({"step": step, "patterns": rows}))
        return OK
    for one in patterns:
        print("\n".join(_lines(one, step)))
    if not patterns:
        print("No change has earned KEEP yet.")
    return OK


def _lines(one: Pattern, step: str | None) -> list[str]:
    label = "" if one.real else "SIMULATED "
    here = f" · {one.status(step)} on {step}" if step else ""
    lines = [f"{label}{one.id}{here}: {plain_line(one.change, most=_SHOWN) or '(not described)'}"]
    lines.append(f"  worked on {', '.join(map(plain_line, one.worked))}")
    if one.failed:
        lines.append(f"  failed on {', '.join(map(plain_line, one.failed))}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
