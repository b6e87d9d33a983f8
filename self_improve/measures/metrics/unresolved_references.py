"""Share of references to something that does not exist.

Unit: share of references. Range: 0 to 1, lower is better. A reference, a text or a number in one
of the fields, resolves if it equals the value at one of the paths `to` in any item of the same
source, or, with `in_input`, if it occurs in what was sent of the plan or in the artifacts of the
plan that the rubric names as the step's inputs. Undefined without references, and with `in_input`
where neither is at hand, or neither holds anything of the form of the references: then the record
does not hold the list that they should resolve against.
Source: ours; referential integrity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Material, Subject, forms_in
from self_improve.measures.tokens import folded
from self_improve.records import json_paths

UNIT, RANGE = "share of references", (0.0, 1.0)
PARAMETERS: dict[str, Any] = {"to": [], "in_input": False}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of unresolved references."""
    in_input = setting(use, PARAMETERS, "in_input")
    materials = (subject.input, subject.snapshot) if in_input else ()
    references = [
        (f"[{number}].{name}", key)
        for number, item in enumerate(subject.items)
        for name in use.fields
        for key in _keys(item.value, name)
    ]
    if not references or (in_input and not _has_such([key for _, key in references], materials)):
        return None
    targets = {
        key
        for item in subject.items
        for json_path in setting(use, PARAMETERS, "to")
        for key in _keys(item.value, str(json_path))
    }
    lost = [
        (where, key)
        for where, key in references
        if key not in targets and not any(key in one.folded for one in materials)
    ]
    return Measurement(len(lost) / len(references), lambda: _spans(lost))


def _has_such(keys: Sequence[str], materials: Sequence[Material]) -> bool:
    """Whether a text holds any of the keys, or something that has the form of one."""
    return any(
        one.string and (any(key in one.folded for key in keys) or _forms(keys) & one.forms)
        for one in materials
    )


def _forms(keys: Sequence[str]) -> frozenset[str]:
    return frozenset(form for key in keys for form in forms_in(key)) or frozenset({""})


def _keys(item: Any, json_path: str) -> list[str]:
    """Return the texts and numbers at a path, as they are compared."""
    keys = []
    for value in json_paths.items_at(item, json_path):
        if isinstance(value, str) and value.strip():
            keys.append(" ".join(folded(value).split()))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            keys.append(str(value))
    return keys


def _spans(lost: Sequence[tuple[str, str]]) -> Iterator[Span]:
    for where, key in lost:
        yield Span.whole(where, key)
