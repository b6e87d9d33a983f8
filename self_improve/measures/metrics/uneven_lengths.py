"""Share of texts that are far shorter or longer than most texts of their field.

Unit: share of texts. Range: 0 to 1, lower is better. A text counts when it is shorter than the
median of its field in the cell divided by `times`, or longer than the median multiplied by it, and
when it is blank. With `together` the texts of an item count as one, whose length is less a matter
of chance than theirs. It shows items that were cut, emptied or padded beside others that were not,
whatever the usual length is. Undefined where no field has `least` texts.
Source: ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Subject, texts_at

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"times": 1.75, "least": 4, "together": False}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of texts of an unusual length."""
    times, least = setting(use, PARAMETERS, "times"), setting(use, PARAMETERS, "least")
    count, uneven = 0, []
    for texts in _groups(subject, use):
        lengths = [len(text.strip()) for _, text in texts]
        said = [length for length in lengths if length]
        if len(texts) < least or not said:
            continue
        usual = median(said)
        count += len(texts)
        uneven += [
            place
            for place, length in zip(texts, lengths, strict=True)
            if not usual / times <= length <= usual * times
        ]
    return Measurement(len(uneven) / count, lambda: _spans(uneven)) if count else None


def _groups(subject: Subject, use: MetricUse) -> Iterator[list[tuple[str, str]]]:
    """Yield the texts that are compared with each other, each after its place."""
    names = use.fields or ("",)
    if setting(use, PARAMETERS, "together"):
        yield [
            (f"[{number}]", "".join(text for name in names for text in texts_at(item.value, name)))
            for number, item in enumerate(subject.items)
        ]
        return
    for name in names:
        yield [
            (f"[{number}]" + (f".{name}" if name else ""), text)
            for number, item in enumerate(subject.items)
            for text in texts_at(item.value, name)
        ]


def _spans(uneven: list[tuple[str, str]]) -> Iterator[Span]:
    for where, text in uneven:
        yield Span.whole(where, text, f"{len(text)} characters")
