"""The state of a step in production: a pure function of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from model_gateway.jsonl import Row
from self_improve.errors import ImproveError
from self_improve.rollout.log import moment
from self_improve.rollout.settings import Settings
from self_improve.rollout.version import Version, gets_new, may_vote

VOTES, SCORES = "votes", "scores"
VERSION, START, MARK, LOOK = "version", "start", "mark", "look"
ROLLBACK, CHECK, SEARCH, DRIFT = "rollback", "check", "search", "drift"
WIDEN, PROMOTE, END, REJECT = "widen", "promote", "end", "reject"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A vote or score on one plan that a version served.

    `by` is votes (1 or 0) or scores. `rollout` is the number of the rollout that was running, None
    if none was, and `stage` its stage, from 0.
    """

    plan: str
    version: str
    by: str
    value: float
    voter: str
    at: datetime
    rollout: int | None
    stage: int


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A rollout: the new version against the old one, at a weight that grows with its stages."""

    number: int
    old: str
    new: str
    by: str
    salt: str
    settings: Settings
    began: datetime
    stage: int
    stage_began: datetime
    looks: tuple[Mapping[str, Any], ...] = ()

    @property
    def weight(self) -> float:
        """How many percent of the plans get the new version."""
        return self.settings.stages[self.stage]

    @property
    def seed(self) -> int:
        """The seed of its permutations."""
        return int(self.new, 16) % 2**31 + self.number


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a step in production.

    `rollout` is the running one, `last` the latest, running or not. `current` is the version of all
    plans that do not get the new one of a running rollout; `proven` are the versions that were ever
    current, the latest last.
    """

    step: str
    versions: Mapping[str, Version] = field(default_factory=dict)
    current: str | None = None
    proven: tuple[str, ...] = ()
    rollout: Rollout | None = None
    last: Rollout | None = None
    marks: Sequence[Mark] = ()
    rollbacks: tuple[Row, ...] = ()
    checks: tuple[Row, ...] = ()
    searches: tuple[Row, ...] = ()
    drifts: tuple[Row, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether the current or the new version was tested by simulated models only."""
        names = [self.current, self.rollout.new if self.rollout is not None else None]
        return any(self.versions[name].simulated for name in names if name is not None)

    @property
    def before(self) -> str | None:
        """The version that production can be rolled back to."""
        if self.rollout is not None:
            return self.rollout.old
        return next((name for name in reversed(self.proven) if name != self.current), None)

    def version_for(self, plan: str) -> Version | None:
        """Return the version that a plan gets now; None before the first rollout."""
        rollout = self.rollout
        if rollout is not None and gets_new(plan, self.step, rollout.salt, rollout.weight):
            return self.versions[rollout.new]
        return None if self.current is None else self.versions[self.current]

    def may_vote(self, plan: str, settings: Settings) -> bool:
        """Return whether the readers of a plan are asked to vote."""
        salt = self.last.salt if self.last is not None else ""
        share = self.rollout.settings.shown if self.rollout is not None else settings.shown
        return may_vote(plan, self.step, salt, share)

    def served(self, plan: str, version: str) -> bool:
        """Return whether a plan can have got a version, in the running rollout or without one."""
        rollout = self.rollout
        if rollout is None:
            return version in self.versions
        if version == rollout.new:
            return gets_new(plan, self.step, rollout.salt, rollout.weight)
        first = rollout.settings.stages[0]
        return version == rollout.old and not gets_new(plan, self.step, rollout.salt, first)

    def marks_of(self, rollout: Rollout) -> list[Mark]:
        """Return the marks that count for a rollout."""
        return [m for m in self.marks if m.rollout == rollout.number and m.by == rollout.by]


def state_of(step: str, rows: Sequence[Row]) -> State:
    """Read a log.

    Raises:
        ImproveError: a row is not in the form that this package writes.
    """
    state = State(step=step)
    marks: list[Mark] = []
    for number, row in enumerate(rows, start=1):
        try:
            if row.get("kind") == MARK:
                marks.append(_mark(state, row))
            else:
                state = _after(state, row)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise ImproveError(
                f"Row {number} of the log of {step} cannot be read: {error!r}. Restore "
                f"rollouts/{step}/log.jsonl of the data repo from git."
            ) from error
    return replace(state, marks=tuple(marks))


def _after(state: State, row: Row) -> State:
    read = _READERS.get(row.get("kind", ""))
    # Rows of a newer version of this package are ignored.
    return state if read is None else read(state, row)


def _with_version(state: State, row: Row) -> State:
    version = Version.from_row(row)
    if version.digest != row["digest"]:
        raise ValueError(f"the digest of version {row['id']} is not that of its texts")
    return replace(state, versions={**state.versions, version.id: version})


def _started(state: State, row: Row) -> State:
    at = moment(row)
    rollout = Rollout(
        number=state.last.number + 1 if state.last is not None else 1,
        old=_existing(state, row["old"]), new=_existing(state, row["new"]), by=row["by"],
        salt=row["salt"], settings=Settings.model_validate(row["settings"]), began=at, stage=0,
        stage_began=at,
    )  # fmt: skip
    return _with_current(replace(state, rollout=rollout, last=rollout), rollout.old)


def _mark(state: State, row: Row) -> Mark:
    rollout = state.rollout
    return Mark(
        plan=row["plan"], version=_existing(state, row["version"]), by=row["by"],
        value=float(row["value"]), voter=row["voter"], at=moment(row),
        rollout=rollout.number if rollout is not None else None,
        stage=rollout.stage if rollout is not None else 0,
    )  # fmt: skip


def _looked(state: State, row: Row) -> State:
    rollout = state.rollout
    if rollout is None:
        raise ValueError("a look without a rollout")
    looks = (*rollout.looks, row)
    if row["action"] == WIDEN:
        widened = replace(rollout, looks=looks, stage=rollout.stage + 1, stage_began=moment(row))
        return replace(state, rollout=widened, last=widened)
    ended = replace(rollout, looks=looks)
    current = rollout.new if row["action"] == PROMOTE else rollout.old
    return _with_current(replace(state, rollout=None, last=ended), current)


def _rolled_back(state: State, row: Row) -> State:
    rolled = replace(state, rollbacks=(*state.rollbacks, row), rollout=None)
    return _with_current(rolled, _existing(state, row["to"]))


def _with_current(state: State, version: str) -> State:
    proven = (*(name for name in state.proven if name != version), version)
    return replace(state, current=version, proven=proven)


def _checked(state: State, row: Row) -> State:
    return replace(state, checks=(*state.checks, row))


def _searched(state: State, row: Row) -> State:
    return replace(state, searches=(*state.searches, row))


def _drifted(state: State, row: Row) -> State:
    return replace(state, drifts=(*state.drifts, row))


def _existing(state: State, version: str) -> str:
    if version not in state.versions:
        raise ValueError(f"there is no version {version}")
    return version


_READERS: Mapping[str, Callable[[State, Row], State]] = {
    VERSION: _with_version, START: _started, LOOK: _looked, ROLLBACK: _rolled_back,
    CHECK: _checked, SEARCH: _searched, DRIFT: _drifted,
}  # fmt: skip
