"""Whether two sides may be compared at all: only what was meant to differ may differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from model_gateway.call import Source
from model_gateway.invocation import typed
from prompt_lab.record import Run
from self_improve.comparison import origins
from self_improve.comparison.run_times import together
from self_improve.errors import UsageError
from self_improve.records.soundness import REMEDY, refusals, soundness

Claim = Literal["change", "alike"]
"""The claim about the sides: that one thing was changed, or that nothing was."""

_ONCE = "Name each run once, on one side."

REUSED = frozenset({str(Source.cache), str(Source.recorded)})


@dataclass(frozen=True, kw_only=True)
class Comparability:
    """What the records of both sides show.

    `refusals` are known differences that spoil the comparison, `remedy` says what to do then,
    and `unknown` is what is missing in one of the records. `faults` are those refusals that hold
    even where inputs are meant to differ.
    `together` means that the cells of both sides were run in the same stretch of time, so that
    nothing that drifts from batch to batch comes between them.
    """

    refusals: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    remedy: str = "Run both sides on the same inputs with the same settings, and compare those."
    unknown: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    together: bool = False

    def require(self) -> None:
        """Refuse sides that cannot be compared.

        Raises:
            UsageError: there are refusals; all are named.
        """
        self._refuse(self.refusals)

    def require_intact(self) -> None:
        """Refuse altered records, runs named twice, and answers of another model.

        Raises:
            UsageError: there are any; all are named.
        """
        self._refuse(self.faults)

    def _refuse(self, problems: Sequence[str]) -> None:
        if problems:
            reasons = "\n  ".join(problems)
            raise UsageError(f"These runs cannot be compared:\n  {reasons}\n{self.remedy}")


def check(
    before: Sequence[Path],
    after: Sequence[Path],
    *,
    claim: Claim = "change",
    other_models: bool = False,
) -> Comparability:
    """Compare the records of two sides.

    Args:
        before: the directories of the runs of one side.
        after: those of the other.
        claim: what is said to differ.
        other_models: whether another model may have answered under the same name.

    Raises:
        UsageError: a side has no run.
    """
    if not before or not after:
        raise UsageError("A comparison needs at least one run before and one after.")
    old, new = [Run(path) for path in before], [Run(path) for path in after]
    unsound = _unsound(old, new)
    if unsound is not None:
        return unsound
    problems = _Problems()
    if not other_models:
        _answering_models(old, new, problems)
    faults = tuple(problems.refusals)
    problems.require_same("step", {run.step for run in old}, {run.step for run in new})
    for what, key in (("speed mode", "speed"), ("host file", "host")):
        problems.require_same(what, _values(old, key), _values(new, key))
    _models(old, new, problems)
    _inputs(old, new, problems)
    _shown_texts(old, new, claim, problems)
    if len({run.is_simulated for run in (*old, *new)}) > 1:
        problems.refusals.append("some models are simulated and some are real")
    _reuse([*old, *new], problems)
    changed = _changes(old, new, claim, problems)
    return Comparability(
        refusals=tuple(problems.refusals),
        faults=faults,
        unknown=tuple(problems.unknown),
        changed=changed,
        together=together(old, new),
    )


def check_one(runs: Sequence[Path]) -> Comparability:
    """Check the runs of a side that is compared with baseline plans, of which less is known."""
    side, problems = [Run(path) for path in runs], _Problems()
    unsound = _unsound([], side)
    if unsound is not None:
        return unsound
    problems.unknown.append("what the baseline plans were made with")
    problems.refusals += _mixture(side, "after")
    _shown_texts([], side, "change", problems)
    return Comparability(
        refusals=tuple(problems.refusals), unknown=tuple(problems.unknown),
        remedy="Name the runs of one code and one candidate, on the inputs of the baseline plans.",
    )  # fmt: skip


class _Problems:
    def __init__(self) -> None:
        self.refusals: list[str] = []
        self.unknown: list[str] = []

    def require_same(self, what: str, before: set[Any], after: set[Any]) -> None:
        """Note a difference, or that a record lacks the value."""
        if None in before | after:
            self.unknown.append(what)
        elif before != after:
            self.refusals.append(
                f"different {what}: {_listed(before)} before, {_listed(after)} after"
            )


def _unsound(old: Sequence[Run], new: Sequence[Run]) -> Comparability | None:
    """Return why records are altered, or named twice; None if they are not.

    Nothing else is said of them then: what an altered record shows is not what was run, and a run
    that is named twice is like itself.
    """
    named = {run.path: run for run in (*old, *new)}
    altered = [
        line for path, run in named.items() for line in refusals(path, soundness(run).faults)
    ]
    twice = origins.same_runs(old, new)
    if not altered and not twice:
        return None
    remedies = [*([REMEDY] if altered else []), *([_ONCE] if twice else [])]
    problems = (*altered, *twice)
    return Comparability(refusals=problems, faults=problems, remedy="\n".join(remedies))


def _mixture(side: Sequence[Run], name: str) -> list[str]:
    """Return why the runs of one side are not of one code and one candidate."""
    return [
        f"the runs {name} are of more than one {what}"
        for what in ("code", "candidate")
        if len({_digest(run, what) for run in side} - {None}) > 1
    ]


def _values(runs: Sequence[Run], key: str) -> set[Any]:
    return {value if isinstance(value := run.meta.get(key), str) else None for run in runs}


def _models(old: Sequence[Run], new: Sequence[Run], problems: _Problems) -> None:
    """Compare the settings of each model; those on one side only are dropped later."""
    sides = [{run.model for run in runs} for runs in (old, new)]
    common = sorted(sides[0] & sides[1])
    if not common:
        problems.refusals.append(
            f"no model on both sides: {_listed(sides[0])} before, {_listed(sides[1])} after"
        )
    is_unknown = False
    for name in common:
        first, *others = (_settings(run) for run in (*old, *new) if run.model == name)
        recorded = [one for one in others if one is not None]
        is_unknown = is_unknown or first is None or len(recorded) < len(others)
        differing = {key for one in recorded if first is not None for key in _differing(first, one)}
        if differing:
            problems.refusals.append(f"{name} had different settings: {_listed(differing)}")
    if is_unknown:
        problems.unknown.append("models' arguments")


def _settings(run: Run) -> dict[str, Any] | None:
    model = run.meta.get("model")
    if not isinstance(model, dict) or "arguments" not in model:
        return None
    return {key: value for key, value in model.items() if key != "primary"}


def _inputs(old: Sequence[Run], new: Sequence[Run], problems: _Problems) -> None:
    for plan, late in _late_inputs([*old, *new]):
        problems.refusals.append(f"{plan} had different inputs: {late}")
    plans: list[dict[str, Any]] = [{}, {}]
    for side, runs in zip(plans, (old, new), strict=True):
        for run in runs:
            inputs = run.meta.get("inputs")
            if not isinstance(inputs, dict):
                problems.unknown.append("digests of the inputs")
                return
            for plan, digests in inputs.items():
                if side.setdefault(plan, digests) != digests:
                    problems.refusals.append(f"{plan}: runs of one side had different inputs")
    for plan in sorted(plans[0].keys() & plans[1].keys()):
        names = _differing(_mapping(plans[0][plan]), _mapping(plans[1][plan]))
        if names:
            problems.refusals.append(f"{plan} had different inputs: {', '.join(names)}")


def _late_inputs(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yield what steps asked for while they ran and did not find alike in all runs."""
    seen: dict[tuple[str, str], str] = {}
    differing: set[tuple[str, str]] = set()
    for run in runs:
        for (plan, _), row in run.rows().items():
            for name, digest in _mapping(row.get("late_inputs")).items():
                if seen.setdefault((plan, name), digest) != digest:
                    differing.add((plan, name))
    yield from sorted(differing)


def _answering_models(old: Sequence[Run], new: Sequence[Run], problems: _Problems) -> None:
    """Compare the ids that the replies name; a name may lead to another model meanwhile."""
    sides = [origins.reported_models(runs) for runs in (old, new)]
    for runs, mine, other in ((old, sides[0], sides[1]), (new, sides[1], sides[0])):
        answered = {run.model for run in runs if "ok" in _values_in_rows(run, "status")}
        for name in sorted(answered & (other.keys() - mine.keys())):
            problems.unknown.append(f"the model that answered {name} on one side")
    for name in sorted(sides[0].keys() & sides[1].keys()):
        before, after = sides[0][name], sides[1][name]
        if before != after:
            problems.refusals.append(
                f"{name} was answered by different models: {_listed(before)} before, "
                f"{_listed(after)} after"
            )
        elif len(before) > 1:
            problems.refusals.append(
                f"{name} was answered by several models on both sides ({_listed(before)}), so its "
                "replies are not those of one model; name an exact id in its entry"
            )


def _values_in_rows(run: Run, key: str) -> list[Any]:
    return [row.get(key) for row in run.rows().values()]


def _shown_texts(old: Sequence[Run], new: Sequence[Run], claim: Claim, problems: _Problems) -> None:
    """Compare what older records do not say of themselves, but their artifacts show."""
    sides = [[(run, origins.shown_texts(run)) for run in runs] for runs in (old, new)]
    for name, side in zip(("before", "after"), sides, strict=True):
        for run, shown in side:
            problems.refusals += origins.contradicted_prompts(run, shown)
        problems.refusals += origins.mixed_prompts(side, name)
    problems.refusals += origins.other_inputs(*sides)
    if claim == "alike":
        both = origins.mixed_prompts([*sides[0], *sides[1]], "on both sides")
        problems.refusals += [f"the sides are claimed to be alike, but {one}" for one in both]


def _reuse(runs: Sequence[Run], problems: _Problems) -> None:
    """Refuse replies that may be the other side's: they would hide every difference."""
    is_unknown = False
    for run in runs:
        rows = run.rows().values()
        is_unknown = is_unknown or any("sources" not in row for row in rows)
        listed = (row.get("sources") for row in rows)
        reused = REUSED & {str(s) for one in listed if isinstance(one, list) for s in one}
        if reused:
            problems.refusals.append(
                f"{run.path} has replies from {_listed(reused)}, which are not its own"
            )
    if is_unknown:
        problems.unknown.append("where the replies came from")


def _changes(
    old: Sequence[Run], new: Sequence[Run], claim: Claim, problems: _Problems
) -> tuple[str, ...]:
    """Return what differs in code and texts, and refuse what was not claimed."""
    problems.refusals += [*_mixture(old, "before"), *_mixture(new, "after")]
    changed = []
    for what in ("code", "candidate"):
        sides = [{_digest(run, what) for run in runs} for runs in (old, new)]
        if None in sides[0] | sides[1]:
            problems.unknown.append(f"digest of the {what}")
            return ()
        if sides[0] != sides[1]:
            changed.append(what)
    if claim == "alike" and changed:
        problems.refusals.append(
            f"the sides are claimed to be alike, but differ in {' and '.join(changed)}"
        )
    if claim == "change" and not changed:
        problems.refusals.append(
            "nothing was changed: code and candidate are the same on both sides (to measure noise "
            f"on them, use `{typed('noise')}`)"
        )
    if claim == "change" and len(changed) > 1:
        problems.refusals.append("code and candidate texts were changed at once")
    return (*changed, *(f"surface {name}" for name in _surfaces(old[0], new[0])))


def _digest(run: Run, what: str) -> str | None:
    value = run.meta.get(what)
    if isinstance(value, dict):
        value = value.get("digest")
    return value if isinstance(value, str) else None


def _surfaces(old: Run, new: Run) -> list[str]:
    return _differing(*(_mapping(run.meta.get("surfaces")) for run in (old, new)))


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(sorted(str(value) for value in values)) or "none"
