"""Where a step stands in production: a pure function of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from model_gateway.jsonl import Row
from self_improve.errors import ImproveError
from self_improve.rollout import version as assignment
from self_improve.rollout.log import moment
from self_improve.rollout.settings import Settings
from self_improve.rollout.version import Version

VOTES, SCORES = "votes", "scores"
VERSION, START, MARK, LOOK = "version", "start", "mark", "look"
ROLLBACK, CHECK, SEARCH, DRIFT = "rollback", "check", "search", "drift"
WIDEN, PROMOTE, END, REJECT = "widen", "promote", "end", "reject"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What one reader or measure said of one plan that a version served.

    `by` is votes (1 or 0) or scores. `trial` is the number of the rollout that was running, if one
    was, and `stage` its stage, from 0.
    """

    plan: str
    version: str
    by: str
    value: float
    voter: str
    at: datetime
    trial: int | None
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
    """All that is known of a step in production.

    `current` is what plans get that do not get the new version of a running `trial`, `proven` are
    all versions that it has been, the latest last; `last` is the latest rollout, running or not.
    """

    step: str
    versions: Mapping[str, Version] = field(default_factory=dict)
    current: str | None = None
    proven: tuple[str, ...] = ()
    trial: Rollout | None = None
    last: Rollout | None = None
    marks: Sequence[Mark] = ()
    rollbacks: tuple[Row, ...] = ()
    checks: tuple[Row, ...] = ()
    searches: tuple[Row, ...] = ()
    drifts: tuple[Row, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether the versions under trial, or the current one, rest on simulated models."""
        names = [self.current, self.trial.new if self.trial is not None else None]
        return any(self.versions[name].simulated for name in names if name is not None)

    @property
    def before(self) -> str | None:
        """The version that production can be taken back to."""
        if self.trial is not None:
            return self.trial.old
        return next((name for name in reversed(self.proven) if name != self.current), None)

    def version_for(self, plan: str) -> Version | None:
        """Return the version that a plan gets now; None while production has none of ours."""
        trial = self.trial
        if trial is not None and assignment.gets_new(plan, self.step, trial.salt, trial.weight):
            return self.versions[trial.new]
        return None if self.current is None else self.versions[self.current]

    def is_shown(self, plan: str, settings: Settings) -> bool:
        """Say whether the readers of a plan are asked to vote."""
        salt = self.last.salt if self.last is not None else ""
        share = self.trial.settings.shown if self.trial is not None else settings.shown
        return assignment.is_shown(plan, self.step, salt, share)

    def served(self, plan: str, version: str) -> bool:
        """Say whether a plan can have got a version, in the running rollout or outside of one."""
        trial = self.trial
        if trial is None:
            return version in self.versions
        if version == trial.new:
            return assignment.gets_new(plan, self.step, trial.salt, trial.weight)
        first = trial.settings.stages[0]
        return version == trial.old and not assignment.gets_new(plan, self.step, trial.salt, first)

    def marks_of(self, trial: Rollout) -> list[Mark]:
        """Return the marks that count for a rollout."""
        return [m for m in self.marks if m.trial == trial.number and m.by == trial.by]


def state_of(step: str, rows: Sequence[Row]) -> State:
    """Read a log.

    Raises:
        ImproveError: a row is not what this package writes.
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
    # What a newer version of this package has written is none of our business.
    return state if read is None else read(state, row)


def _with_version(state: State, row: Row) -> State:
    version = Version.from_row(row)
    if version.digest != row["digest"]:
        raise ValueError(f"the digest of version {row['id']} is not that of its texts")
    return replace(state, versions={**state.versions, version.id: version})


def _started(state: State, row: Row) -> State:
    at = moment(row)
    trial = Rollout(
        number=state.last.number + 1 if state.last is not None else 1,
        old=_known(state, row["old"]), new=_known(state, row["new"]), by=row["by"],
        salt=row["salt"], settings=Settings.model_validate(row["settings"]), began=at, stage=0,
        stage_began=at,
    )  # fmt: skip
    return _with_current(replace(state, trial=trial, last=trial), trial.old)


def _mark(state: State, row: Row) -> Mark:
    trial = state.trial
    return Mark(
        plan=row["plan"], version=_known(state, row["version"]), by=row["by"],
        value=float(row["value"]), voter=row["voter"], at=moment(row),
        trial=trial.number if trial is not None else None,
        stage=trial.stage if trial is not None else 0,
    )  # fmt: skip


def _looked(state: State, row: Row) -> State:
    trial = state.trial
    if trial is None:
        raise ValueError("a look without a rollout")
    looks = (*trial.looks, row)
    if row["action"] == WIDEN:
        widened = replace(trial, looks=looks, stage=trial.stage + 1, stage_began=moment(row))
        return replace(state, trial=widened, last=widened)
    ended = replace(trial, looks=looks)
    current = trial.new if row["action"] == PROMOTE else trial.old
    return _with_current(replace(state, trial=None, last=ended), current)


def _rolled_back(state: State, row: Row) -> State:
    rolled = replace(state, rollbacks=(*state.rollbacks, row), trial=None)
    return _with_current(rolled, _known(state, row["to"]))


def _with_current(state: State, version: str) -> State:
    proven = (*(name for name in state.proven if name != version), version)
    return replace(state, current=version, proven=proven)


def _checked(state: State, row: Row) -> State:
    return replace(state, checks=(*state.checks, row))


def _searched(state: State, row: Row) -> State:
    return replace(state, searches=(*state.searches, row))


def _drifted(state: State, row: Row) -> State:
    return replace(state, drifts=(*state.drifts, row))


def _known(state: State, version: str) -> str:
    if version not in state.versions:
        raise ValueError(f"there is no version {version}")
    return version


_READERS: Mapping[str, Callable[[State, Row], State]] = {
    VERSION: _with_version, START: _started, LOOK: _looked, ROLLBACK: _rolled_back,
    CHECK: _checked, SEARCH: _searched, DRIFT: _drifted,
}  # fmt: skip
