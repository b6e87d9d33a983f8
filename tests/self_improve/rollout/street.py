"""A step in production: a clock that tests move, plans by the version they get, and their marks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prompt_lab.layout import Layout
from self_improve.rollout.production import Production
from self_improve.rollout.state import SCORES
from self_improve.rollout.version import Version, gets_new, may_vote

STEP = "identify_purpose"
OLD = Version(texts={}, commit="abcdef0")
NEW = Version(texts={"a:B": "Neu: „Ziel“"}, commit="abcdef1", pull_request="https://forge/1")


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def forward(self, **much: float) -> None:
        """Move the clock."""
        self.time += timedelta(**much)


class Street:
    """One step, whose plans are called by numbers that are used up one after the other."""

    def __init__(self, place: Path, **settings: object) -> None:
        self.layout = Layout(place)
        self.layout.rollouts.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.layout.rollouts / "settings.toml").write_text(text)
        self.clock = Hands()
        self.production = Production(self.layout, STEP, self.clock)
        self._next = 0

    def start(self, new: Version = NEW, *, by: str = SCORES) -> None:
        """Begin a rollout."""
        self.production.start(new, OLD, by=by)

    def plans(self, *, new: bool) -> Iterator[str]:
        """Yield fresh plans that get the new version now, or those that do not."""
        while True:
            self._next += 1
            plan = f"plan-{self._next}"
            state = self.production.state()
            rollout = state.rollout
            on_new = rollout is not None and gets_new(plan, STEP, rollout.salt, rollout.weight)
            if on_new == new and state.may_vote(plan, self.production.settings):
                yield plan

    def mark(self, value: float, count: int, *, new: bool, by: str = SCORES) -> None:
        """Record marks around a value, of fresh plans."""
        state = self.production.state()
        rollout = state.rollout
        version = rollout.new if rollout is not None and new else state.current
        assert version is not None
        for number, plan in zip(range(count), self.plans(new=new), strict=False):
            mark = value if by != SCORES else value + (number % 5 - 2) * 0.01
            self.production.mark(plan, mark, by=by, version=version)

    def stage(self, new: float, old: float, count: int = 12) -> str:
        """Mark plans of both versions, judge the stage, and return what was done."""
        self.mark(new, count, new=True)
        self.mark(old, count, new=False)
        return self.production.advance().action


def shown_plan(state_salt: str, share: float = 0.5, *, shown: bool) -> str:
    """Return a plan whose readers are asked, or one whose are not."""
    return next(
        plan for plan in map(str, range(1000)) if may_vote(plan, STEP, state_salt, share) == shown
    )
