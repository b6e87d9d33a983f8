"""Whether two sides may be compared at all: only what was meant to differ may differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from model_gateway.call import Source
from model_gateway.jsonl import read_rows
from prompt_lab.record import EVENTS, Run
from self_improve.errors import UsageError

Claim = Literal["change", "alike"]
"""What is said of the sides: that one thing was changed, or that nothing was."""

REUSED = frozenset({str(Source.cache), str(Source.recorded)})


@dataclass(frozen=True, kw_only=True)
class Comparability:
    """What the records say of both sides.

    `refusals` are known differences that spoil the comparison, `unknown` what one of the records
    does not tell. `together` says that the cells of both sides were run in the same stretch of
    time, so that nothing that drifts from batch to batch stands between them.
    """

    refusals: tuple[str, ...]
    unknown: tuple[str, ...]
    changed: tuple[str, ...]
    together: bool

    def require(self) -> None:
        """Let pass what may be compared.

        Raises:
            UsageError: there are refusals; all are named.
        """
        if self.refusals:
            told = "\n  ".join(self.refusals)
            raise UsageError(
                f"These runs cannot be compared:\n  {told}\n"
                "Run both sides on the same inputs with the same settings, and compare those."
            )


def check(
    before: Sequence[Path], after: Sequence[Path], *, claim: Claim = "change"
) -> Comparability:
    """Compare the records of two sides.

    Raises:
        UsageError: a side has no run.
    """
    if not before or not after:
        raise UsageError("A comparison needs at least one run before and one after.")
    old, new = [Run(path) for path in before], [Run(path) for path in after]
    told = _Told()
    told.refusals += [
        f"{path} stands on both sides"
        for path in sorted({p.resolve() for p in before} & {p.resolve() for p in after})
    ]
    told.same("step", {run.step for run in old}, {run.step for run in new})
    told.same("speed mode", _values(old, "speed"), _values(new, "speed"))
    told.same("host file", _values(old, "host"), _values(new, "host"))
    _models(old, new, told)
    _inputs(old, new, told)
    _simulation(old, new, told)
    _reuse([*old, *new], told)
    changed = _changes(old, new, claim, told)
    return Comparability(
        refusals=tuple(told.refusals),
        unknown=tuple(told.unknown),
        changed=changed,
        together=_together(old, new),
    )


class _Told:
    def __init__(self) -> None:
        self.refusals: list[str] = []
        self.unknown: list[str] = []

    def same(self, what: str, before: set[Any], after: set[Any]) -> None:
        """Take note of a difference, or that nobody knows."""
        if None in before | after:
            self.unknown.append(what)
        elif before != after:
            self.refusals.append(
                f"another {what}: {_listed(before)} before, {_listed(after)} after"
            )


def _values(runs: Sequence[Run], key: str) -> set[Any]:
    return {value if isinstance(value := run.meta.get(key), str) else None for run in runs}


def _models(old: Sequence[Run], new: Sequence[Run], told: _Told) -> None:
    """Compare how each model was asked; those on one side only are dropped later."""
    sides = [{run.model: run for run in runs} for runs in (old, new)]
    common = sorted(sides[0].keys() & sides[1].keys())
    if not common:
        told.refusals.append(
            f"no model on both sides: {_listed(sides[0])} before, {_listed(sides[1])} after"
        )
    unknown = False
    for name in common:
        settings = [_settings(side[name]) for side in sides]
        if None in settings:
            unknown = True
            continue
        one, other = (found or {} for found in settings)
        differing = sorted(k for k in one.keys() | other.keys() if one.get(k) != other.get(k))
        if differing:
            told.refusals.append(f"{name} was asked in another way: {', '.join(differing)}")
    if unknown:
        told.unknown.append("models' arguments")


def _settings(run: Run) -> dict[str, Any] | None:
    model = run.meta.get("model")
    if not isinstance(model, dict) or "arguments" not in model:
        return None
    return {key: value for key, value in model.items() if key != "primary"}


def _inputs(old: Sequence[Run], new: Sequence[Run], told: _Told) -> None:
    plans: list[dict[str, Any]] = [{}, {}]
    for side, runs in zip(plans, (old, new), strict=True):
        for run in runs:
            inputs = run.meta.get("inputs")
            if not isinstance(inputs, dict):
                told.unknown.append("digests of the inputs")
                return
            for plan, digests in inputs.items():
                if side.setdefault(plan, digests) != digests:
                    told.refusals.append(f"{plan}: runs of one side had different inputs")
    for plan in sorted(plans[0].keys() & plans[1].keys()):
        one, other = _mapping(plans[0][plan]), _mapping(plans[1][plan])
        names = sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))
        if names:
            told.refusals.append(f"{plan} had other inputs: {', '.join(names)}")


def _simulation(old: Sequence[Run], new: Sequence[Run], told: _Told) -> None:
    kinds = {_is_simulated(run) for run in (*old, *new)}
    if len(kinds) > 1:
        told.refusals.append("simulated models stand beside real ones")


def _reuse(runs: Sequence[Run], told: _Told) -> None:
    """Refuse replies that may be the other side's: they would hide every difference."""
    silent = False
    for run in runs:
        rows = run.rows().values()
        silent = silent or any("sources" not in row for row in rows)
        sources = {str(s) for row in rows for s in _sequence(row.get("sources"))}
        if sources & REUSED:
            told.refusals.append(
                f"{run.path} holds replies from {_listed(sources & REUSED)}, which were not given "
                "to it"
            )
    if silent:
        told.unknown.append("where the replies came from")


def _changes(old: Sequence[Run], new: Sequence[Run], claim: Claim, told: _Told) -> tuple[str, ...]:
    """Return what differs of code and texts, and refuse what was not claimed."""
    found = []
    for what in ("code", "candidate"):
        sides = [{_digest(run, what) for run in runs} for runs in (old, new)]
        if None in sides[0] | sides[1]:
            told.unknown.append(f"digest of the {what}")
            return ()
        for name, side in zip(("before", "after"), sides, strict=True):
            if len(side) > 1:
                told.refusals.append(f"the runs {name} are not of one {what}")
        if sides[0] != sides[1]:
            found.append(what)
    if claim == "alike" and found:
        told.refusals.append(f"they are said to be alike, and differ in {' and '.join(found)}")
    if claim == "change" and not found:
        told.refusals.append(
            "nothing was changed: code and candidate are the same on both sides (to measure noise "
            "on them there is `python -m self_improve.noise`)"
        )
    if claim == "change" and len(found) > 1:
        told.refusals.append("code and candidate texts were changed at once")
    return (*found, *(f"surface {name}" for name in _surfaces(old[0], new[0])))


def _digest(run: Run, what: str) -> str | None:
    value = run.meta.get(what)
    if isinstance(value, dict):
        value = value.get("digest")
    return value if isinstance(value, str) else None


def _surfaces(old: Run, new: Run) -> Iterator[str]:
    one, other = (_mapping(run.meta.get("surfaces")) for run in (old, new))
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield name


def _together(old: Sequence[Run], new: Sequence[Run]) -> bool:
    """Whether for each model the shorter side lies by more than half within the other's time."""
    sides = [{run.model: _stretch(run) for run in runs} for runs in (old, new)]
    common = sides[0].keys() & sides[1].keys()
    return bool(common) and all(_overlap(sides[0][m], sides[1][m]) for m in common)


def _stretch(run: Run) -> tuple[str, str] | None:
    times = sorted(
        time for row in read_rows(run.path / EVENTS)[0]
        if isinstance(time := row.get("timestamp"), str)
    )  # fmt: skip
    return (times[0], times[-1]) if times else None


def _overlap(one: tuple[str, str] | None, other: tuple[str, str] | None) -> bool:
    if one is None or other is None:
        return False
    shared = _seconds(max(one[0], other[0]), min(one[1], other[1]))
    shorter = min(_seconds(*one), _seconds(*other))
    return shared >= 0 and shared >= shorter / 2


def _seconds(begin: str, end: str) -> float:
    try:
        moments = [datetime.fromisoformat(text) for text in (begin, end)]
        return (moments[1] - moments[0]).total_seconds()
    except (ValueError, TypeError):
        return -1.0


def _is_simulated(run: Run) -> bool:
    model = run.meta.get("model")
    return isinstance(model, dict) and model.get("provider") == "simulated"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _listed(values: Any) -> str:
    return ", ".join(sorted(str(value) for value in values)) or "none"
