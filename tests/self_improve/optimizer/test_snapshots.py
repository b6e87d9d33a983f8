"""What has to be laid and computed again before a step is improved on top of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.iteration.folder import IterationFolder
from self_improve.optimizer.rounds import KeptCandidate, Round
from self_improve.optimizer.snapshots import known_steps, need_of


def step(name: str, *upstream: str, external: bool = False) -> StepFacts:
    """Return a step that reads what those above it write."""
    return StepFacts(
        name=name, task=f"m:{name}", route=(), upstream=upstream,
        inputs=tuple(f"{up}.json" for up in upstream), outputs=(f"{name}.json",), external=external,
        calls_model=True, surfaces=(),
    )  # fmt: skip


# given → a → b → c → e, and a → d → e: nothing leads from b to d.
STEPS = (
    step("given", external=True), step("a", "given"), step("b", "a"), step("c", "b"),
    step("d", "a"), step("e", "c", "d"),
)  # fmt: skip
PIPELINE = Pipeline(steps={one.name: one for one in STEPS}, surfaces={})


def improved(name: str, number: int = 0) -> Round:
    """Return an iteration that improved a step."""
    best = KeptCandidate(
        candidate="c", branch="b", commit="1" * 40, pull_request=None, summary="YES", gain=1.0,
        deviation=1.0, drift=1.0, pairs=5,
    )  # fmt: skip
    folder = IterationFolder(Layout(Path("lab")), Path(f"lab/analysis/{number}_{name}"))
    return Round(folder=folder, step=name, base="0" * 40, finished=True, kept=best)


@pytest.mark.parametrize(
    ("target", "done", "between"),
    [
        ("b", ["a"], []),
        ("c", ["a"], ["b"]),
        ("e", ["a"], ["b", "c", "d"]),
        ("e", ["a", "b"], ["c", "d"]),
        ("d", ["a", "b"], []),
    ],
)
def test_steps_between_are_computed_anew(target: str, done: list[str], between: list[str]) -> None:
    """Those that lie on a way from an improved step to the one that comes next, and no others."""
    need = need_of(PIPELINE, target, [improved(name) for name in done])
    assert need is not None
    assert [facts.name for facts in need.between] == between


def test_nothing_improved_above_needs_no_snapshot() -> None:
    """What was improved beside or below a step does not change its inputs."""
    assert need_of(PIPELINE, "d", [improved("b"), improved("e")]) is None


def test_other_improvements_are_another_snapshot() -> None:
    """A step that was improved once more has its name changed; the latest iteration counts."""
    one = need_of(PIPELINE, "e", [improved("a", 1)])
    two = need_of(PIPELINE, "e", [improved("a", 1), improved("a", 7)])
    assert one is not None
    assert two is not None
    assert one.name != two.name
    assert two.improved["a"].folder.number == 7


def test_steps_are_taken_upstream_first() -> None:
    """Whatever order they were named in; a given step cannot be improved."""
    assert known_steps(PIPELINE, ["e", "a", "b"]) == ["a", "b", "e"]
    with pytest.raises(UsageError, match="given, nothing"):
        known_steps(PIPELINE, ["a", "given", "nothing"])
