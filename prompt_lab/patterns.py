"""Kinds of change that earned KEEP on one step, offered to the others, with where they failed."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.jsonl import Appender, Row, read_rows
from prompt_lab import layout as layouts
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from prompt_lab.markup import plain_line

OK, USAGE = 0, 2
WORKED, FAILED, OPEN = "worked", "failed", "open"
TRY = "to try"
_LONGEST, _SHOWN = 600, 160
_OFFERED = 5
_NO, _KEEP = "NO", "KEEP"
EXAMPLES = """\
examples:
  # every pattern that earned KEEP somewhere, and where it failed
  python -m prompt_lab.patterns

  # which to try for a step, as JSON
  python -m prompt_lab.patterns --step identify_purpose --json

exit codes: 0 told · 2 wrong usage or no data repo
"""


class PatternError(LabError):
    """This outcome cannot be kept as a pattern; nothing else is wrong."""


@dataclass(frozen=True, kw_only=True)
class CandidateOutcome:
    """How one candidate of an iteration ended, as `remember` takes it.

    `change` tells the kind of change in words; `before` and `after` are the changed texts by
    surface id. `word` is the evaluator's (KEEP, REJECT, INCONCLUSIVE), `end` the iteration's
    (YES, NO, CONDITIONAL, INCONCLUSIVE). `pattern` is the id of the pattern that was offered and
    tried, if it was one.
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
        """Worked: it earned KEEP and nothing spoke against it later; failed: it ended with NO."""
        if self.end == _NO:
            return FAILED
        return WORKED if self.word == _KEEP else OPEN


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A described kind of change with all that is known of it.

    `excerpts` are the digests of what was taken out and put in, by where it was tried first;
    `worked`, `failed` and `undecided` are steps. `real` says that models that are not simulated
    have earned it a KEEP.
    """

    id: str
    change: str
    excerpts: Mapping[str, Any]
    worked: tuple[str, ...]
    failed: tuple[str, ...]
    undecided: tuple[str, ...]
    real: bool
    trials: tuple[Row, ...] = field(repr=False)

    def status(self, step: str) -> str:
        """Return what is known of it on a step."""
        known = {WORKED: self.worked, FAILED: self.failed, OPEN: self.undecided}
        return next((word for word, steps in known.items() if step in steps), TRY)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "id": self.id, "change": self.change, "excerpts": dict(self.excerpts),
            "worked": list(self.worked), "failed": list(self.failed),
            "undecided": list(self.undecided), "simulated": not self.real,
            "trials": len(self.trials),
        }  # fmt: skip


def remember(layout: Layout, outcome: CandidateOutcome) -> str:
    """Append how a candidate ended, once however often it is called; return the pattern's id.

    What was tried as a pattern keeps that one's id; else the words of the change, or where there
    are none the excerpts, say whether it is one that is known.

    Raises:
        PatternError: the pattern that was tried is unknown, or nothing was changed.
        LabError: another process holds the patterns.
        OSError: the data repo cannot be written.
    """
    excerpts = _excerpts(outcome.before, outcome.after)
    if not excerpts["removed"] and not excerpts["added"]:
        raise PatternError(f"{outcome.candidate} changes nothing, so there is no pattern in it.")
    change = outcome.change.strip()[:_LONGEST]
    with claim(layout, "patterns", wait_seconds=60.0):
        rows = read_rows(layout.patterns)[0]
        ids = {row["pattern"] for row in rows if "pattern" in row}
        if outcome.pattern is not None and outcome.pattern not in ids:
            raise PatternError(f"There is no pattern {outcome.pattern} in {layout.patterns}.")
        name = outcome.pattern or _id(change, excerpts)
        place = (outcome.iteration, outcome.candidate)
        for row in rows:
            if (row.get("iteration"), row.get("candidate")) == place:
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


def known(layout: Layout) -> list[Pattern]:
    """Return all that was ever tried, in the order of the first trials; status is derived here."""
    found: dict[str, list[Row]] = {}
    for row in read_rows(layout.patterns)[0]:
        if isinstance(row.get("pattern"), str) and isinstance(row.get("step"), str):
            found.setdefault(row["pattern"], []).append(row)
    return [_pattern(name, rows) for name, rows in found.items()]


def offered(layout: Layout, step: str, *, simulated: bool = False) -> list[Pattern]:
    """Return the patterns to try on a step: those that worked elsewhere and are undecided on it.

    Those that worked on the most steps, less those they failed on, come first.

    Args:
        layout: the data repo.
        step: the step that wants ideas.
        simulated: take those too that only simulated models have spoken for.
    """
    usable = [
        one
        for one in known(layout)
        if one.worked and (one.real or simulated) and one.status(step) in {TRY, OPEN}
    ]
    return sorted(usable, key=lambda one: len(one.failed) - len(one.worked))


def material(patterns: Sequence[Pattern]) -> list[Row]:
    """Return what a proposing model is shown of the first few patterns: as data, never as words.

    A change that nobody described says nothing to a model, and is left out.
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
    # The latest decided trial of a step counts; one that decided nothing takes nothing back.
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
        trials=tuple(rows),
    )  # fmt: skip


def _id(change: str, excerpts: Mapping[str, Any]) -> str:
    """Return a pattern's id: the same words, whatever their case and spaces, are the same."""
    words = " ".join(unicodedata.normalize("NFKC", change).casefold().split())
    return digest_of(words or [excerpts["removed"], excerpts["added"]])[:12]


def _excerpts(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """Return digests and sizes in characters of the lines that were taken out and put in."""
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


def parser(prog: str = "python -m prompt_lab.patterns") -> argparse.ArgumentParser:
    """Return the command's parser."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="List the kinds of change that earned KEEP, and where they failed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--step", help="which of them to try on this step")
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument("--json", action="store_true", help="tell it as JSON")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, list, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    try:
        lab = layouts.find(options.prompt_lab_dir)
        shown = [one for one in known(lab) if one.worked]
    except (LabError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    if options.step:
        ids = [one.id for one in offered(lab, options.step, simulated=True)]
        shown = [
            *(one for name in ids for one in shown if one.id == name),
            *(one for one in shown if one.id not in ids),
        ]
    if options.json:
        step = options.step
        rows = [one.to_row() | ({"here": one.status(step)} if step else {}) for one in shown]
        print(json.dumps({"step": step, "patterns": rows}))
        return OK
    for one in shown:
        print("\n".join(_told(one, options.step)))
    if not shown:
        print("No change has earned KEEP as yet.")
    return OK


def _told(one: Pattern, step: str | None) -> list[str]:
    label = "" if one.real else "SIMULATED "
    here = f" · {one.status(step)} on {step}" if step else ""
    lines = [f"{label}{one.id}{here}: {plain_line(one.change, most=_SHOWN) or '(not described)'}"]
    lines.append(f"  worked on {', '.join(map(plain_line, one.worked))}")
    if one.failed:
        lines.append(f"  failed on {', '.join(map(plain_line, one.failed))}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
