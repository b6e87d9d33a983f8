"""Share of the items of later replies whose name an item of an earlier reply has, or nearly has.

Unit: share of items after the first reply. Range: 0 to 1, lower is better. Two names are the same
when the Jaccard similarity of their sets of tokens reaches `least`; 1 means equal sets. Undefined
where only one reply holds names.
Source: the reference measurements (name Jaccard of .6 across calls).
"""

from __future__ import annotations

from collections.abc import Iterator

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Subject, Unit

UNIT, RANGE = "share of later items", (0.0, 1.0)
PARAMETERS = {"least": 0.6}
MOST_NAMES = 500


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of names that an earlier reply gave."""
    names = subject.units(use.fields or (subject.rubric.name_field,)).all[:MOST_NAMES]
    if not names or names[0].call == names[-1].call:
        return None
    least = setting(use, PARAMETERS, "least")
    sets = [frozenset(unit.text.tokens or [unit.text.folded]) for unit in names]
    later, twins = 0, []
    for number, unit in enumerate(names):
        if unit.call == names[0].call:
            continue
        later += 1
        twin = next(
            (
                other
                for other, earlier in zip(names, sets, strict=True)
                if other.call < unit.call
                and len(earlier & sets[number]) >= least * len(earlier | sets[number])
            ),
            None,
        )
        if twin is not None:
            twins.append((unit, twin))
    return Measurement(len(twins) / later, lambda: _spans(twins))


def _spans(twins: list[tuple[Unit, Unit]]) -> Iterator[Span]:
    for unit, twin in twins:
        note = f"like reply {twin.call} {twin.where}: {twin.text.string}"
        yield Span.whole(f"reply {unit.call} {unit.where}", unit.text.string, note)
