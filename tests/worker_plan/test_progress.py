"""Steps are shown as they are done."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

from worker_plan.plan_record import ATTEMPTS
from worker_plan.progress import Lines, Used, Watch
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.setup import Setup


class Seen:
    """A display that remembers."""

    def __init__(self) -> None:
        self.began: tuple[int, int] | None = None
        self.steps: list[str] = []
        self.used = Used()

    def begin(self, steps: int, done: int) -> None:
        """Remember."""
        self.began = (steps, done)

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Remember."""
        self.steps += finished
        self.used = used

    def end(self) -> None:
        """Nothing."""


def test_finished_steps_and_new_calls_are_reported(run_dir: Path) -> None:
    """What was done or asked before does not count, nor does a torn line."""
    tasks = [Setup(run_dir=str(run_dir)), IdentifyPurpose(run_dir=str(run_dir))]
    attempts = run_dir / ".gateway" / ATTEMPTS
    attempts.parent.mkdir()
    attempts.write_text(json.dumps({"input_tokens": 500}) + "\n")
    seen = Seen()
    with Watch(run_dir, tasks, seen):
        assert seen.began == (2, 1)
        with attempts.open("a") as file:
            file.write(json.dumps({"input_tokens": 7, "output_tokens": 5, "cost": 0.5}) + "\n")
            file.write(json.dumps({"failure_kind": "timeout", "cost": None}) + "\n")
            file.write('{"input_tokens": 100')
        for artifact in IdentifyPurpose.writes():
            (run_dir / artifact.name).write_text("{}")
    assert seen.steps == ["identify_purpose"]
    assert seen.used == Used(calls=2, failed=1, tokens=12, dollars=0.5)


def test_lines_count_the_steps() -> None:
    """One line a step, with what was expected first."""
    stream = io.StringIO()
    lines = Lines(stream, "about 3 calls")
    lines.begin(5, 2)
    lines.update(["plan_type"], Used(calls=1, tokens=10))
    lines.end()
    first, second = stream.getvalue().splitlines()
    assert first == "about 3 calls"
    assert second.startswith("[3/5] plan_type · 1 call · 10 tokens · $0.0000 · ")
