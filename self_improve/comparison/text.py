"""A comparison as text: for the terminal, and as Markdown for pull requests and agents."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from model_gateway import terminal
from model_gateway.counts import counted, tally
from prompt_lab import markup
from prompt_lab.tables import interval, number
from self_improve.comparison.comparison import Comparison
from self_improve.comparison.examples import Example
from self_improve.verdict import Verdict
from self_improve.verdict.composite import Part
from self_improve.verdict.effects import Effect
from self_improve.verdict.expectation_outcomes import ExpectationOutcome

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN, _WIDTH = 300, 150
"""Characters of an example on the terminal, and of a line where there is no terminal."""
_EFFECTS = ("measure", "better", "before", "after", "change", "interval", "over plans", "q")
_PARTS = ("where", "pairs", "composite", "interval")


def _p_text(p: float | None) -> str:
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _summary_lines(verdict: Verdict) -> list[str]:
    """Return lines on the extent of a comparison, the composite, and success (apart from it)."""
    composite, losses = verdict.composite, verdict.losses
    partial = "" if verdict.share >= 1 else f" · {verdict.share:.0%} of the planned cells"
    without = composite.left_out.values()
    flips = tally((losses.lost, "lost"), (losses.gained, "gained"))
    sizes = tally((losses.collapsed, "collapsed"), (losses.recovered, "recovered"))
    return [
        f"{verdict.step} · {counted(verdict.pairs, 'pair')} of cells · "
        f"{counted(len(verdict.models), 'model')} · {counted(len(verdict.plans), 'plan')} · "
        f"evidence: {verdict.evidence}{partial}",
        "composite: nothing to compare" if composite.effect is None else
        f"composite {composite.effect:+.3f} (cells {interval(composite.interval)}; plans "
        f"{interval(composite.plan_interval)}; without one plan "
        f"{number(min(without, default=None), '+')} to {number(max(without, default=None), '+')}), "
        f"p {_p_text(composite.p)}, drift {composite.drift:g}",
        f"success {losses.text}: {flips or 'none lost or gained'}, p {_p_text(losses.p)}"
        + (f"; {sizes}" if sizes else ""),
    ]  # fmt: skip


def _effect_rows(effects: Iterable[Effect]) -> list[tuple[str, ...]]:
    """Return the rows of the defined effects, weighted ones first, the largest first."""
    defined = [effect for effect in effects if effect.change is not None]
    defined.sort(key=lambda e: (e.weight == 0, -abs((e.gain or 0.0) * (e.weight or 1.0))))
    return [
        (
            e.id, e.direction, number(e.before), number(e.after), number(e.change, "+"),
            interval(e.interval), interval(e.plan_interval), _p_text(e.q),
        )
        for e in defined
    ]  # fmt: skip


def _part_rows(parts: Iterable[Part]) -> list[tuple[str, ...]]:
    return [(p.name, str(p.pairs), number(p.effect, "+"), interval(p.interval)) for p in parts]


def _remarks(comparison: Comparison) -> list[str]:
    """Return what should be known besides the numbers and the notes of the verdict."""
    changed, together = comparison.records.changed, comparison.records.together
    remarks = [f"changed: {', '.join(changed)}"] if changed else []
    return remarks + (["both sides were run in the same stretch of time"] if together else [])


def show(comparison: Comparison) -> None:
    """Print a comparison as tables on the terminal."""
    # Imported here because only a terminal needs it.
    from rich.text import Text

    verdict = comparison.verdict
    console = terminal.console(sys.stdout, None if sys.stdout.isatty() else _WIDTH)

    def say(text: str, style: str = "", indent: str = "") -> None:
        console.print(Text(indent + _flat(text), style=style))

    style = {"KEEP": "bold green", "REJECT": "bold red"}.get(str(verdict.word), "bold yellow")
    say(verdict.summary, style)
    for reason in verdict.reasons:
        say(reason, indent="  ")
    for line in _summary_lines(verdict):
        say(line)
    for gate in verdict.gates:
        say(f"gate {gate.name}: {gate.state} · {gate.message}")
    for outcome in verdict.expectations:
        say(_expectation(outcome))
    parts = [*verdict.composite.models, *verdict.composite.plans]
    console.print(_table(_EFFECTS, _effect_rows(verdict.effects)))
    console.print(_table(_PARTS, _part_rows(parts)))
    for example in comparison.examples:
        say(_title(example), "bold")
        say(f"before: {_flat(example.before_text) or '–'}", indent="  ")
        say(f"after: {_flat(example.after_text) or '–'}", indent="  ")
    for note in (*verdict.notes, *_remarks(comparison)):
        say(f"note: {note}", "dim")


def _flat(text: str) -> str:
    """Return text in one line without what would move the cursor or hide something."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, name in enumerate(head):
        table.add_column(name, justify="left" if column == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_flat(cell)) for cell in row))
    return table


def _expectation(outcome: ExpectationOutcome) -> str:
    line = f"expected {outcome.text}: {outcome.outcome}"
    if outcome.change is None:
        return f"{line} · no pair of cells measures it"
    direction = "the opposite" if outcome.change < 0 else "the declared"
    line += (
        f" · moved {number(abs(outcome.change))} in {direction} direction over "
        f"{counted(outcome.pairs, 'pair')}, p {_p_text(outcome.p)}"
    )
    if outcome.visible is not None:
        line += f"; this many show {number(outcome.visible)} in four cases of five"
    return line + (f", {outcome.needed} would show what is worth having" if outcome.needed else "")


def _title(example: Example) -> str:
    return (
        f"{example.plan} · {example.model}"
        + (f" · repeat {example.repeat}" if example.repeat else "")
        + f": {example.measure} {number(example.before_value)} → {number(example.after_value)}"
    )


def verdict_page(verdict: Verdict, *more: str, remarks: Sequence[str] = ()) -> str:
    """Return a verdict in Markdown, without a title; all words of models are escaped.

    `more` are sections that follow the numbers, `remarks` are added to the notes of the verdict.
    """
    composite = verdict.composite
    sides = (composite.models, composite.plans)
    worst = [min(parts, key=lambda part: part.effect) for parts in sides if parts]
    gates = [(gate.name, gate.state, gate.message) for gate in verdict.gates]
    return markup.page(
        markup.bullets(verdict.reasons),
        markup.bullets(_summary_lines(verdict)),
        markup.table(("gate", "state", "what"), gates) if gates else "",
        markup.bullets([_expectation(outcome) for outcome in verdict.expectations]),
        "### Measures",
        markup.table(_EFFECTS, _effect_rows(verdict.effects)),
        "### Worst model and worst plan",
        markup.table(_PARTS, _part_rows(worst)),
        markup.folded(
            "Every model and plan",
            markup.table(_PARTS, _part_rows((*composite.models, *composite.plans))),
        ),
        *more,
        "### Notes" if verdict.notes or remarks else "",
        markup.bullets([*verdict.notes, *remarks]),
    )


def page(comparison: Comparison) -> str:
    """Return a comparison in Markdown for a pull request; all words of models are escaped."""
    examples = comparison.examples
    body = verdict_page(
        comparison.verdict,
        *(["### Worst changes", *map(_side_by_side, examples)] if examples else []),
        remarks=[
            *_remarks(comparison),
            f"before: {', '.join(comparison.before)}",
            f"after: {', '.join(comparison.after)}",
        ],
    )
    return markup.page(f"## {markup.line(comparison.verdict.summary)}", body) + "\n"


def _side_by_side(example: Example) -> str:
    return markup.table(
        (_title(example), ""),
        [("before", "after"), (example.before_text or "–", example.after_text or "–")],
    )
