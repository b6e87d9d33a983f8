"""A comparison for the terminal, and as a page for a pull request."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prompt_lab import markup
from self_improve.comparison.comparison import Comparison
from self_improve.comparison.examples import Example
from self_improve.verdict import Verdict
from self_improve.verdict.effects import Effect, Part
from self_improve.verdict.expectation_outcomes import ExpectationOutcome
from self_improve.verdict.statistics.intervals import Interval

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN, _WIDTH = 300, 150
"""Characters of an example on the terminal, and of a line where there is no terminal."""


def number(value: float | None, sign: str = "") -> str:
    """Return a number for people; a dash for what is not known."""
    if value is None:
        return "–"
    return f"{value:{sign}.2f}" if abs(value) >= 10 else f"{value:{sign}.3f}"


def chance(p: float | None) -> str:
    """Return a p-value for people."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def between(interval: Interval | None) -> str:
    """Return an interval for people."""
    return "–" if interval is None else f"{interval.low:+.3f} to {interval.high:+.3f}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def headline(verdict: Verdict) -> str:
    """Return one line with the extent of a comparison."""
    seen = "" if verdict.share >= 1 else f" · {verdict.share:.0%} of the cells that were planned"
    return (
        f"{verdict.step} · {counted(verdict.pairs, 'pair')} of cells · "
        f"{counted(len(verdict.models), 'model')} · {counted(len(verdict.plans), 'plan')} · "
        f"evidence: {verdict.evidence}{seen}"
    )


def composite_line(verdict: Verdict) -> str:
    """Return one line on the composite."""
    found = verdict.composite
    if found.effect is None:
        return "composite: nothing to compare"
    without = found.left_out.values()
    least, most = min(without, default=None), max(without, default=None)
    return (
        f"composite {found.effect:+.3f} (cells {between(found.interval)}; plans "
        f"{between(found.plan_interval)}; without one plan {number(least, '+')} to "
        f"{number(most, '+')}), p {chance(found.p)}, drift {found.drift:g}"
    )


def success_line(verdict: Verdict) -> str:
    """Return one line on success, which is judged apart from content."""
    found = verdict.losses
    return (
        f"success {found.text}: {found.lost} lost, {found.gained} gained, p {chance(found.p)}; "
        f"{found.collapsed} collapsed, {found.recovered} recovered"
    )


def moved(effects: Iterable[Effect]) -> list[Effect]:
    """Return the effects that can be told, weighted ones first, the largest first."""
    known = [effect for effect in effects if effect.change is not None]
    return sorted(known, key=lambda e: (e.weight == 0, -abs((e.gain or 0.0) * (e.weight or 1.0))))


EFFECTS_HEAD = ("measure", "better", "before", "after", "change", "interval", "over plans", "q")
PARTS_HEAD = ("where", "pairs", "composite", "interval")


def effect_cells(effect: Effect) -> tuple[str, ...]:
    """Return the cells of a table's row."""
    return (
        effect.id, effect.direction, number(effect.before), number(effect.after),
        number(effect.change, "+"), between(effect.interval), between(effect.plan_interval),
        chance(effect.q),
    )  # fmt: skip


def part_cells(part: Part) -> tuple[str, ...]:
    """Return the cells of a table's row."""
    return part.name, str(part.pairs), number(part.effect, "+"), between(part.interval)


def remarks(found: Comparison) -> list[str]:
    """Return what should be known beside the numbers."""
    told = list(found.verdict.notes)
    if found.records.changed:
        told.append(f"changed: {', '.join(found.records.changed)}")
    if found.records.together:
        told.append("both sides were run in the same stretch of time")
    return told


def show(found: Comparison) -> None:
    """Print a comparison as tables on the terminal."""
    # Imported here because only a terminal needs it.
    from rich.console import Console
    from rich.text import Text

    verdict = found.verdict
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)

    def say(text: str, style: str = "", indent: str = "") -> None:
        console.print(Text(indent + _flat(text), style=style))

    style = {"KEEP": "bold green", "REJECT": "bold red"}.get(str(verdict.word), "bold yellow")
    say(verdict.summary, style)
    for reason in verdict.reasons:
        say(reason, indent="  ")
    for line in (headline(verdict), composite_line(verdict), success_line(verdict)):
        say(line)
    for gate in verdict.gates:
        state = "failed" if gate.failed else "holds a KEEP back" if gate.blocks else "passed"
        say(f"gate {gate.name}: {state} · {gate.told}")
    for one in verdict.expectations:
        say(_declared(one))
    console.print(_table(EFFECTS_HEAD, map(effect_cells, moved(verdict.effects))))
    parts = [*verdict.composite.models, *verdict.composite.plans]
    console.print(_table(PARTS_HEAD, map(part_cells, parts)))
    for example in found.examples:
        say(_title(example), "bold")
        say(f"before: {_flat(example.before_text) or '–'}", indent="  ")
        say(f"after: {_flat(example.after_text) or '–'}", indent="  ")
    for note in remarks(found):
        say(f"note: {note}", "dim")


def _flat(text: str) -> str:
    """Return text in one line without what would move the cursor or hide something."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_flat(cell)) for cell in row))
    return table


def _declared(one: ExpectationOutcome) -> str:
    if one.change is None:
        return f"expected {one.told}: {one.outcome} · no pair of cells tells of it"
    way = "the other" if one.change < 0 else "the declared"
    told = (
        f"expected {one.told}: {one.outcome} · moved {number(abs(one.change))} {way} way over "
        f"{counted(one.pairs, 'pair')}, p {chance(one.p)}"
    )
    if one.visible is not None:
        told += f"; so many show {number(one.visible)} in four cases of five"
    return told + (f", {one.needed} would show what is worth having" if one.needed else "")


def _title(example: Example) -> str:
    return (
        f"{example.plan} · {example.model}"
        + (f" · repeat {example.repeat}" if example.repeat else "")
        + f": {example.measure} {number(example.before_value)} → {number(example.after_value)}"
    )


def page(found: Comparison) -> str:
    """Return a comparison in Markdown for a pull request; all words of models are escaped."""
    verdict = found.verdict
    parts = verdict.composite
    worst = [min(own, key=lambda part: part.effect) for own in (parts.models, parts.plans) if own]
    sections = [
        f"## {markup.line(verdict.summary)}",
        _bullets(verdict.reasons),
        _bullets([headline(verdict), composite_line(verdict), success_line(verdict)]),
        markup.table(
            ("gate", "state", "what"),
            [
                (g.name, "failed" if g.failed else "held back" if g.blocks else "passed", g.told)
                for g in verdict.gates
            ],
        ),
        _bullets([_declared(one) for one in verdict.expectations]),
        "### Measures",
        markup.table(EFFECTS_HEAD, map(effect_cells, moved(verdict.effects))),
        "### Worst model and worst plan",
        markup.table(PARTS_HEAD, map(part_cells, worst)),
        markup.folded(
            "Every model and plan",
            markup.table(PARTS_HEAD, map(part_cells, (*parts.models, *parts.plans))),
        ),
        "### Worst changes" if found.examples else "",
        *(_side_by_side(example) for example in found.examples),
        "### Notes",
        _bullets(remarks(found)),
        _bullets([f"before: {', '.join(found.before)}", f"after: {', '.join(found.after)}"]),
    ]
    return markup.page(*sections) + "\n"


def _side_by_side(example: Example) -> str:
    return markup.table(
        (_title(example), ""),
        [("before", "after"), (example.before_text or "–", example.after_text or "–")],
    )


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(f"- {markup.line(text)}" for text in texts)
