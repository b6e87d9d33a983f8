"""The operations on a step in production; each change is one row of its log."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from model_gateway.invocation import typed
from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.rollout import comparison, settings
from self_improve.rollout import state as states
from self_improve.rollout.health import Finding, Health, health
from self_improve.rollout.log import Clock, Log, moment, now
from self_improve.rollout.state import SCORES, VOTES, Rollout, State
from self_improve.rollout.version import Version, checked_step
from self_improve.verdict import Word

_LONGEST_NAME = 200
WAIT = "wait"


@dataclass(frozen=True, kw_only=True)
class Move:
    """What `advance` did: one of the actions of a look, a rollback, or nothing yet (wait)."""

    action: str
    reason: str
    state: State
    simulated: bool
    outcome: comparison.RolloutLook | None = None


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of a check; `fresh`: it was made now. `search` is why a search is due, or None."""

    row: Mapping[str, Any]
    fresh: bool
    state: State
    search: str | None


class Production:
    """One step in production. Of two processes at once, the second one waits."""

    def __init__(self, layout: Layout, step: str, clock: Clock = now) -> None:
        self.step = checked_step(step)
        self._clock = clock
        self.log = Log(layout, self.step, clock)
        self.settings = settings.load(layout)

    def state(self) -> State:
        """Return the state of the step.

        Raises:
            ImproveError: the log cannot be read.
        """
        return states.state_of(self.step, self.log.rows())

    def start(self, new: Version, old: Version, *, by: str, simulated: bool = False) -> State:
        """Begin a rollout at the smallest weight; nothing happens if this one is running already.

        `old` counts only while production has no version yet. `simulated` allows a version that
        only simulated models have tested.

        Raises:
            UsageError: another rollout is running, the versions are equal, or the evidence is
                simulated.
        """
        with self.log.locked():
            state = self.state()
            rollout = state.rollout
            current = state.versions[state.current] if state.current is not None else old
            if rollout is not None and (rollout.new, rollout.by) == (new.id, by):
                return state
            if rollout is not None:
                raise UsageError(
                    f"A rollout of {self.step} is running: {rollout.new} against {rollout.old} at "
                    f"{rollout.weight:g} %. Wait for its end, or roll it back with "
                    f"`{typed('rollout rollback')} --step {self.step} --reason TEXT`."
                )
            if new.id == current.id:
                raise UsageError(f"{self.step} has {new.id} in production already.")
            if new.simulated and not simulated:
                raise UsageError(
                    f"Only simulated models have tested {new.id}, so no real plan should get it. "
                    "To try the commands with it, add --simulated."
                )
            versions = [v for v in (current, new) if v.id not in state.versions]
            number = state.last.number + 1 if state.last is not None else 1
            self.log.append(
                *({"kind": states.VERSION, **version.to_row()} for version in versions),
                {
                    "kind": states.START, "old": current.id, "new": new.id, "by": by,
                    "salt": f"{new.digest}/{number}",
                    "settings": self.settings.model_dump(mode="json"),
                },
            )  # fmt: skip
            return self.state()

    def mark(self, plan: str, value: float, *, by: str, version: str, voter: str = "") -> bool:
        """Record a vote or score; return False if the same voter has given the same before.

        Raises:
            UsageError: the plan cannot have got this version, its readers were not asked, or the
                value is invalid.
        """
        _require_name(plan, "plan")
        _require_value(value, by)
        digest = hashlib.sha256(voter.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        row = {
            "kind": states.MARK, "plan": plan, "version": version, "by": by, "value": value,
            "voter": digest if voter else "",
        }  # fmt: skip
        with self.log.locked():
            state = self.state()
            self._require_served(state, plan, version, by)
            earlier = [m for m in state.marks if _same(m, row)]
            if earlier and earlier[-1].value == value:
                return False
            self.log.append(row)
            return True

    def advance(self) -> Move:
        """Decide on the running rollout if its stage is over: widen, promote, end or roll back.

        Raises:
            UsageError: no rollout is running.
        """
        with self.log.locked():
            state = self.state()
            if state.rollout is None:
                raise UsageError(
                    f"No rollout of {self.step} is running. Begin one with "
                    f"`{typed('rollout start')} --step {self.step}`."
                )
            check = self._health(state, state.rollout.new, state.rollout)
            if check.finding is Finding.rollback and check.best is not None:
                return self._roll_back(state, check.version, check.best, check.reason)
            return self._look(state, state.rollout)

    def rollback(self, *, to: str | None, reason: str) -> State:
        """Return production to an earlier version at once, and end a running rollout.

        Raises:
            UsageError: the version is unknown, or production has it already.
        """
        _require_name(reason, "reason")
        with self.log.locked():
            state = self.state()
            target = to or state.before
            if target is None or target not in state.versions:
                raise UsageError(
                    f"{self.step} has no {'version ' + to if to else 'earlier version'} to roll "
                    f"back to. Known: {', '.join(state.versions) or 'none'}."
                )
            served = state.rollout.new if state.rollout is not None else state.current
            if target == served:
                raise UsageError(f"{self.step} has {target} already.")
            return self._roll_back(state, str(served), target, reason).state

    def watch(self, *, at_once: bool = False) -> CheckResult:
        """Check the version in production, unless the last check was recent.

        A version far below the best is rolled back; a search that is due is called for once.

        Raises:
            UsageError: the step has no rollout.
        """
        with self.log.locked():
            state = self.state()
            if state.last is None or state.current is None:
                raise UsageError(
                    f"{self.step} has no rollout yet. Begin one with "
                    f"`{typed('rollout start')} --step {self.step}`."
                )
            last = state.checks[-1] if state.checks else None
            age = _age(last, self._clock())
            if last is not None and not at_once and age < self.settings.check_hours * 3600:
                return CheckResult(row=last, fresh=False, state=state, search=self._called(state))
            served = state.rollout.new if state.rollout is not None else state.current
            check = self._health(state, served, state.last)
            self.log.append({"kind": states.CHECK, **check.to_row()})
            if check.finding is Finding.rollback and check.best is not None:
                self._roll_back(state, served, check.best, check.reason)
            if check.finding in {Finding.search, Finding.rollback}:
                self._call_for_search(check.reason)
            state = self.state()
            return CheckResult(
                row=state.checks[-1], fresh=True, state=state, search=self._called(state)
            )

    def record_search(self, command: str, code: int) -> None:
        """Record that the search that was due has run, and its exit code."""
        with self.log.locked():
            self.log.append(
                {"kind": states.SEARCH, "phase": "ended", "command": command, "code": code}
            )

    def record_drift(self, facts: Mapping[str, Any]) -> None:
        """Record the result of a drift check."""
        with self.log.locked():
            self.log.append({"kind": states.DRIFT, **facts})

    def _look(self, state: State, rollout: Rollout) -> Move:
        terms, marks = rollout.settings, state.marks_of(rollout)
        stages = comparison.groups(marks, rollout.new, rollout.stage + 1)
        age = self._clock() - rollout.stage_began
        count = len(stages[-1].new)
        if count < terms.marks and age < timedelta(days=terms.days):
            reason = (
                f"{count} of {terms.marks} plans with {rollout.by} on {rollout.new}, "
                f"{age / timedelta(days=1):.1f} of {terms.days:g} days"
            )
            return Move(action=WAIT, reason=reason, state=state, simulated=state.simulated)
        looks = len(terms.stages) - 1
        outcome = comparison.look(stages, looks=looks, least=terms.gain, seed=rollout.seed)
        action, reason = _decide(rollout, outcome, stages[-1])
        self.log.append(
            {
                "kind": states.LOOK, "stage": rollout.stage, "weight": rollout.weight,
                "action": action, "told": reason, **outcome.to_row(),
            }
        )  # fmt: skip
        return Move(
            action=action,
            reason=reason,
            state=self.state(),
            simulated=state.simulated,
            outcome=outcome,
        )

    def _health(self, state: State, version: str, rollout: Rollout) -> Health:
        return health(state, version, self.settings, self._clock(), by=rollout.by)

    def _roll_back(self, state: State, served: str, to: str, reason: str) -> Move:
        self.log.append({"kind": states.ROLLBACK, "from": served, "to": to, "reason": reason})
        return Move(
            action=states.ROLLBACK, reason=reason, state=self.state(), simulated=state.simulated
        )

    def _call_for_search(self, why: str) -> None:
        """Call for a search, unless one was called for within `search_days`."""
        called = [row for row in self.state().searches if row["phase"] == "called"]
        if not called or _age(called[-1], self._clock()) >= self.settings.search_days * 86400:
            self.log.append({"kind": states.SEARCH, "phase": "called", "why": why})

    def _called(self, state: State) -> str | None:
        """Return why a search is due: it was called for and has not run since."""
        last = state.searches[-1] if state.searches else None
        return str(last["why"]) if last is not None and last["phase"] == "called" else None

    def _require_served(self, state: State, plan: str, version: str, by: str) -> None:
        if version not in state.versions:
            raise UsageError(
                f"{self.step} has no version {version} in production. Known: "
                f"{', '.join(state.versions) or 'none'}."
            )
        if state.rollout is not None and by != state.rollout.by:
            raise UsageError(
                f"The running rollout of {self.step} is decided by {state.rollout.by}."
            )
        if not state.served(plan, version):
            raise UsageError(
                f"This plan cannot have got {version}: `{typed('rollout assign')}` "
                "prints which version a plan gets. Nothing was recorded."
            )
        if by == VOTES and not state.may_vote(plan, self.settings):
            raise UsageError(
                "The readers of this plan were not drawn to vote, so their vote would not be "
                "random. Nothing was recorded."
            )


def _decide(
    rollout: Rollout, outcome: comparison.RolloutLook, last: comparison.Groups
) -> tuple[str, str]:
    """Return the action of a look, and why: REJECT rolls back, KEEP at the last look promotes."""
    terms = rollout.settings
    is_last = rollout.stage == len(terms.stages) - 2
    if outcome.word is Word.reject:
        return states.REJECT, f"worse beyond chance (p = {outcome.worse:.4f})"
    if min(len(last.new), len(last.old)) < terms.enough:
        return states.END, (
            f"in {terms.days:g} days {len(last.new)} plans on {rollout.new} and {len(last.old)} on "
            f"{rollout.old} were marked; {terms.enough} on each are needed"
        )
    gain = "unknown" if outcome.gain is None else f"{outcome.gain:+.1%}"
    if is_last and outcome.word is Word.keep:
        return states.PROMOTE, f"better beyond chance (p = {outcome.better:.4f}), gain {gain}"
    if is_last:
        return states.END, (
            f"gain {gain} (p = {outcome.better:.4f}); a promotion needs {terms.gain:+.1%} beyond "
            "chance"
        )
    following = terms.stages[rollout.stage + 1]
    return states.WIDEN, f"gain {gain} so far, no harm shown; next stage: {following:g} %"


def _same(mark: states.Mark, row: Mapping[str, Any]) -> bool:
    return (mark.plan, mark.version, mark.by, mark.voter) == (
        row["plan"], row["version"], row["by"], row["voter"],
    )  # fmt: skip


def _age(row: Mapping[str, Any] | None, at: datetime) -> float:
    """Return how many seconds ago a row was written."""
    return math.inf if row is None else (at - moment(dict(row))).total_seconds()


def _require_name(text: str, what: str) -> None:
    odd = any(unicodedata.category(one) in {"Cc", "Cs"} for one in text)
    if not text.strip() or odd or len(text) > _LONGEST_NAME:
        raise UsageError(
            f"A {what} must have 1 to {_LONGEST_NAME} characters and no control characters."
        )


def _require_value(value: float, by: str) -> None:
    if by == SCORES and not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{value} is not a score: use a number from 0; more is better.")
    if by == VOTES and value not in {0.0, 1.0}:
        raise UsageError(f"{value} is not a vote: use up (1) or down (0).")
