"""All notes are joined in full, and each part is shortened by a call of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.markdown import INCOMPLETE, gaps
from worker_plan.step import Detail, Step
from worker_plan.steps.consolidate_assumptions_markdown import ConsolidateAssumptionsMarkdown

STEP = ConsolidateAssumptionsMarkdown
KEYS = (
    "purpose", "plan_type", "physical_locations", "currency_strategy", "identify_risks",
    "make_assumptions", "distill_assumptions", "review_assumptions",
)  # fmt: skip
NOTES = {key: f"Notes of {key}: " + f"the oven weighs {n} t. " * 20 for n, key in enumerate(KEYS)}


@pytest.fixture
def notes(run_dir: Path) -> dict[str, str]:
    """Write all parts; return them by the key of their call."""
    for artifact in STEP.reads():
        key = artifact.owner.__module__.rpartition(".")[2]
        artifact.save(run_dir, NOTES.get(key, NOTES["purpose"] if "purpose" in key else ""))
    return NOTES


def outcome(run_dir: Path, ask: Scripted, **more: Any) -> tuple[str, str]:
    """Run the step; return the full and the short form."""
    kind: type[Step] = STEP
    written = carry_out(kind(run_dir=str(run_dir), **more), ask)
    return written[STEP.full.name], written[STEP.short.name]


def short_of(call: Call[Any]) -> dict[str, Any]:
    """Answer with a point that names its part."""
    return {"points": [f"Short {call.key}."]}


def test_each_part_is_shortened_by_itself(run_dir: Path, notes: dict[str, str]) -> None:
    """Eight calls, each with its own part alone; both forms hold the parts in the same order."""
    ask = Scripted(short_of)
    full, short = outcome(run_dir, ask)
    messages = {call.key: call.user for call in ask.calls}
    assert messages == {key: f"<notes>\n{notes[key].strip()}\n</notes>" for key in KEYS}
    places = [full.index(notes[key].strip()) for key in KEYS]
    assert places == sorted(places)
    headings = [row for row in full.splitlines() if row.startswith("# ")]
    assert len(headings) == 8
    assert [row for row in short.splitlines() if row.startswith("# ")] == headings
    assert [row for row in short.splitlines() if row.startswith("-")] == [
        f"- Short {key}." for key in KEYS
    ]


def test_part_that_is_not_shortened_stands_in_full(run_dir: Path, notes: dict[str, str]) -> None:
    """A failed call and a reply that broke off cost nothing but length, and are marked."""
    answers = {"purpose": FAILED, "make_assumptions": '{"points": ["Half of it.", "The ov'}
    full, short = outcome(run_dir, Scripted(lambda c: answers.get(c.key) or short_of(c)))
    assert INCOMPLETE not in full
    assert short.startswith(f"> {INCOMPLETE}")
    note = short.splitlines()[0]
    assert "Purpose" in note
    assert "Assumptions," in note
    assert [key for key in KEYS if notes[key].strip() in short] == ["purpose", "make_assumptions"]
    assert "Half of it." not in short


def test_longer_short_form_is_not_used(run_dir: Path, notes: dict[str, str]) -> None:
    """A part is never longer in the short form than in the full one, and nothing is missing."""
    wordy = {"points": ["The oven weighs " + "very " * 200 + "much."]}
    _, short = outcome(run_dir, Scripted(lambda c: wordy if c.key == "purpose" else short_of(c)))
    assert notes["purpose"].strip() in short
    assert INCOMPLETE not in short


def test_gaps_of_a_part_stay_visible(run_dir: Path, notes: dict[str, str]) -> None:
    """The note of a step before that something is missing is in both forms."""
    [gap, _] = gaps(["the end"])
    (run_dir / "003-2-identify_risks.md").write_text(f"{gap}\n\n{notes['identify_risks']}")
    full, short = outcome(run_dir, Scripted(short_of))
    assert gap in full
    assert f"{gap}\n\n- Short identify_risks." in short


def test_empty_part_is_not_asked_about(run_dir: Path, notes: dict[str, str]) -> None:
    """A model would make something up for it."""
    assert notes
    (run_dir / "002-21-physical_locations.md").write_text("\n")
    ask = Scripted(short_of)
    outcome(run_dir, ask)
    assert {call.key for call in ask.calls} == set(KEYS) - {"physical_locations"}


@pytest.mark.parametrize(
    ("detail", "calls"), [(Detail.FAST_BUT_SKIP_DETAILS, 4), (Detail.PING_LLM, 1)]
)
def test_less_detail_shortens_the_longest_parts(
    run_dir: Path, notes: dict[str, str], detail: Detail, calls: int
) -> None:
    """The others stand there as they are, which is not a gap."""
    ask = Scripted(short_of)
    _, short = outcome(run_dir, ask, detail=detail)
    longest = sorted(KEYS, key=lambda key: -len(notes[key]))[:calls]
    assert {call.key for call in ask.calls} == set(longest)
    assert {key for key in KEYS if notes[key].strip() not in short} == set(longest)
    assert INCOMPLETE not in short


def test_step_fails_if_nothing_was_shortened(run_dir: Path, notes: dict[str, str]) -> None:
    """The failure is reported."""
    assert notes
    with pytest.raises(StepError, match="none of 8 parts was shortened: server: the model is down"):
        outcome(run_dir, Scripted(lambda _: FAILED))
