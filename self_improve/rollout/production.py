"""What may be done to a step in production; every change is one row of its log."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.rollout import comparison, settings
from self_improve.rollout import state as states
from self_improve.rollout.health import Finding, Health, health
from self_improve.rollout.log import Clock, Log, moment, now
from self_improve.rollout.state import SCORES, VOTES, Rollout, State
from self_improve.rollout.version import Version, step_named
from self_improve.verdict import Word

_LONGEST_NAME = 200
WAIT = "wait"


@dataclass(frozen=True, kw_only=True)
class Move:
    """What `advance` did: one of the actions of a look, a rollback, or nothing as yet (wait)."""

    action: str
    told: str
    state: State
    simulated: bool
    outcome: comparison.RolloutLook | None = None


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check found; `fresh` says that it was made now. `search` is why one is due, if so."""

    row: Mapping[str, Any]
    fresh: bool
    state: State
    search: str | None


class Production:
    """One step in production. Two processes at once do no harm: whoever comes second waits."""

    def __init__(self, layout: Layout, step: str, clock: Clock = now) -> None:
        self.step = step_named(step)
        self._clock = clock
        self.log = Log(layout, self.step, clock)
        self.settings = settings.load(layout)

    def state(self) -> State:
        """Return where the step stands.

        Raises:
            ImproveError: the log cannot be read.
        """
        return states.state_of(self.step, self.log.rows())

    def start(self, new: Version, old: Version, *, by: str, simulated: bool = False) -> State:
        """Begin a rollout at the smallest weight; if just this one is running, nothing happens.

        `old` counts only while production has no version yet. `simulated` says that a version for
        which only simulated models spoke may be tried out.

        Raises:
            UsageError: another rollout is running, the versions are the same, or the evidence is
                simulated.
        """
        with self.log.held():
            state = self.state()
            trial = state.trial
            current = state.versions[state.current] if state.current is not None else old
            if trial is not None and (trial.new, trial.by) == (new.id, by):
                return state
            if trial is not None:
                raise UsageError(
                    f"A rollout of {self.step} is running: {trial.new} against {trial.old} at "
                    f"{trial.weight:g} %. Wait for its end, or take it back with "
                    f"`python -m self_improve.rollout rollback --step {self.step} --reason TEXT`."
                )
            if new.id == current.id:
                raise UsageError(f"{new.id} is what {self.step} has in production already.")
            if new.simulated and not simulated:
                raise UsageError(
                    f"Only simulated models have spoken for {new.id}, so no real plan should get "
                    "it. To try the commands out with it, say --simulated."
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
        """Record what was said of a plan; return False if the same voter has said the same before.

        Raises:
            UsageError: the plan cannot have got this version, its readers were not asked, or the
                value is none.
        """
        _require_name(plan, "plan")
        _require_value(value, by)
        who = hashlib.sha256(voter.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        row = {
            "kind": states.MARK, "plan": plan, "version": version, "by": by, "value": value,
            "voter": who if voter else "",
        }  # fmt: skip
        with self.log.held():
            state = self.state()
            self._require_served(state, plan, version, by)
            said = [m for m in state.marks if _same(m, row)]
            if said and said[-1].value == value:
                return False
            self.log.append(row)
            return True

    def advance(self) -> Move:
        """Judge the running rollout if its stage is over, and move it on, to its end or back.

        Raises:
            UsageError: no rollout is running.
        """
        with self.log.held():
            state = self.state()
            if state.trial is None:
                raise UsageError(
                    f"No rollout of {self.step} is running. `python -m self_improve.rollout start "
                    f"--step {self.step}` begins one."
                )
            found = self._health(state, state.trial.new, state.trial)
            if found.finding is Finding.rollback and found.best is not None:
                return self._taken_back(state, found.version, found.best, found.told)
            return self._moved(state, state.trial)

    def rollback(self, *, to: str | None, reason: str) -> State:
        """Give production an earlier version at once, and end the rollout that is running.

        Raises:
            UsageError: there is no such version, or production has it already.
        """
        _require_name(reason, "reason")
        with self.log.held():
            state = self.state()
            target = to or state.before
            if target is None or target not in state.versions:
                known = ", ".join(state.versions) or "none"
                raise UsageError(
                    f"{self.step} has no {'version ' + to if to else 'earlier version'} to go back "
                    f"to. Known: {known}."
                )
            served = state.trial.new if state.trial is not None else state.current
            if target == served:
                raise UsageError(f"{target} is what {self.step} has already.")
            return self._taken_back(state, str(served), target, reason).state

    def watch(self, *, at_once: bool = False) -> CheckResult:
        """Check the version in production, unless the last check is younger than a check should be.

        A version far below the best is taken back; where a search is due, it is called for once.

        Raises:
            UsageError: nothing is known of the step in production.
        """
        with self.log.held():
            state = self.state()
            if state.last is None or state.current is None:
                raise UsageError(
                    f"Nothing is known of {self.step} in production. `python -m "
                    f"self_improve.rollout start --step {self.step}` begins."
                )
            last = state.checks[-1] if state.checks else None
            age = _age(last, self._clock())
            if last is not None and not at_once and age < self.settings.check_hours * 3600:
                return CheckResult(row=last, fresh=False, state=state, search=self._called(state))
            served = state.trial.new if state.trial is not None else state.current
            found = self._health(state, served, state.last)
            row = {"kind": states.CHECK, **found.to_row()}
            self.log.append(row)
            if found.finding is Finding.rollback and found.best is not None:
                self._taken_back(state, served, found.best, found.told)
            if found.finding in {Finding.search, Finding.rollback}:
                self._call_for_search(found.told)
            state = self.state()
            return CheckResult(
                row=state.checks[-1], fresh=True, state=state, search=self._called(state)
            )

    def searched(self, command: str, code: int) -> None:
        """Record that the search that was called for was run, and how it ended."""
        with self.log.held():
            self.log.append(
                {"kind": states.SEARCH, "phase": "ended", "command": command, "code": code}
            )

    def drifted(self, facts: Mapping[str, Any]) -> None:
        """Record what came of a drift check."""
        with self.log.held():
            self.log.append({"kind": states.DRIFT, **facts})

    def _moved(self, state: State, trial: Rollout) -> Move:
        terms, marks = trial.settings, state.marks_of(trial)
        stages = comparison.groups(marks, trial.new, trial.stage + 1)
        age = self._clock() - trial.stage_began
        count = len(stages[-1].new)
        if count < terms.marks and age < timedelta(days=terms.days):
            told = (
                f"{count} of {terms.marks} plans with {trial.by} on {trial.new}, "
                f"{age / timedelta(days=1):.1f} of {terms.days:g} days"
            )
            return Move(action=WAIT, told=told, state=state, simulated=state.simulated)
        looks = len(terms.stages) - 1
        outcome = comparison.looked(stages, looks=looks, least=terms.gain, seed=trial.seed)
        action, told = _decided(trial, outcome, stages[-1])
        self.log.append(
            {
                "kind": states.LOOK, "stage": trial.stage, "weight": trial.weight,
                "action": action, "told": told, **outcome.to_row(),
            }
        )  # fmt: skip
        return Move(
            action=action, told=told, state=self.state(), simulated=state.simulated, outcome=outcome
        )

    def _health(self, state: State, version: str, trial: Rollout) -> Health:
        return health(state, version, self.settings, self._clock(), by=trial.by)

    def _taken_back(self, state: State, served: str, to: str, reason: str) -> Move:
        self.log.append({"kind": states.ROLLBACK, "from": served, "to": to, "reason": reason})
        return Move(
            action=states.ROLLBACK, told=reason, state=self.state(), simulated=state.simulated
        )

    def _call_for_search(self, why: str) -> None:
        """Call for a search, unless one was called for less than a week ago."""
        called = [row for row in self.state().searches if row["phase"] == "called"]
        if not called or _age(called[-1], self._clock()) >= self.settings.search_days * 86400:
            self.log.append({"kind": states.SEARCH, "phase": "called", "why": why})

    def _called(self, state: State) -> str | None:
        """Return why a search is due: it was called for, and none has been run since."""
        last = state.searches[-1] if state.searches else None
        return str(last["why"]) if last is not None and last["phase"] == "called" else None

    def _require_served(self, state: State, plan: str, version: str, by: str) -> None:
        if version not in state.versions:
            known = ", ".join(state.versions) or "none"
            raise UsageError(f"{self.step} has no version {version} in production. Known: {known}.")
        if state.trial is not None and by != state.trial.by:
            raise UsageError(f"The running rollout of {self.step} is decided by {state.trial.by}.")
        if not state.served(plan, version):
            raise UsageError(
                f"This plan cannot have got {version}: `python -m self_improve.rollout assign` "
                "says which version a plan gets. Nothing was recorded."
            )
        if by == VOTES and not state.is_shown(plan, self.settings):
            raise UsageError(
                "The readers of this plan are not among those who are asked, so a vote of theirs "
                "was not by chance. Nothing was recorded."
            )


def _decided(
    trial: Rollout, outcome: comparison.RolloutLook, last: comparison.Groups
) -> tuple[str, str]:
    """Return what a look does, and why: REJECT goes back, KEEP at the last look is promoted."""
    terms = trial.settings
    is_last = trial.stage == len(terms.stages) - 2
    if outcome.word is Word.reject:
        return states.REJECT, f"worse beyond chance (p = {outcome.worse:.4f})"
    if min(len(last.new), len(last.old)) < terms.enough:
        return states.END, (
            f"in {terms.days:g} days {len(last.new)} plans on {trial.new} and {len(last.old)} on "
            f"{trial.old} were marked; it takes {terms.enough} on each"
        )
    gain = "unknown" if outcome.gain is None else f"{outcome.gain:+.1%}"
    if is_last and outcome.word is Word.keep:
        return states.PROMOTE, f"better beyond chance (p = {outcome.better:.4f}), gain {gain}"
    if is_last:
        return states.END, (
            f"gain {gain} (p = {outcome.better:.4f}); {terms.gain:+.1%} beyond chance would be "
            "worth a promotion"
        )
    following = terms.stages[trial.stage + 1]
    return states.WIDEN, f"gain {gain} so far, no harm shown; on with {following:g} %"


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
            f"A {what} has 1 to {_LONGEST_NAME} characters, and no control characters among them."
        )


def _require_value(value: float, by: str) -> None:
    if by == SCORES and not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{value} is no score: a score is a number from 0, and more is better.")
    if by == VOTES and value not in {0.0, 1.0}:
        raise UsageError(f"{value} is no vote: a vote is up (1) or down (0).")
