"""Every rubric notices what damages its step's own artifacts, and never takes it for a gain."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rubrics import load
from self_improve.verdict import Word
from tools import damage_panel, rubric_power, unpacked
from tools.damage_outcome import Outcome
from tools.damage_panel import PANEL

STEPS = load.names()
LEAST = 3
MANY_TEXTS = {"create_wbs_level3", "self_audit"}
"""Steps that write so much that three plans are enough, and take as long as five of others."""
PARTS = 3
"""Each step is tested on one part of the panel, and the next step on the next part."""


def problems(results: list[Outcome]) -> list[str]:
    """Return what a rubric takes for a gain, does not notice, or does not reject."""
    return [
        f"{one.source}, {one.damage} of {one.share:.0%}: {one.problem} ({one.effect})"
        for one in results
        if one.problem
    ]


def tried(step: str, source: str, shares: Sequence[float]) -> list[Outcome]:
    """Return the outcomes of a part of the panel; the page has those of all of it."""
    return damage_panel.outcomes(
        step, source, shares, models=1, plans=3 if step in MANY_TEXTS else 5, decided=1.0,
        panel=PANEL[STEPS.index(step) % PARTS :: PARTS],
    )  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_damage_lowers_the_composite_and_a_repair_raises_it(step: str) -> None:
    """In the bundled plans: with a REJECT at all items; at 40 % where no others are at hand."""
    results = tried(step, "simulated", (1.0,) if unpacked.RECORDED.exists() else (0.4, 1.0))
    assert len({one.damage for one in results if one.applies}) >= LEAST
    assert not problems(results)


@pytest.mark.skipif(not unpacked.RECORDED.exists(), reason="../shared/recorded is not here")
@pytest.mark.parametrize("step", STEPS)
def test_so_it_does_in_plans_that_real_models_wrote(step: str) -> None:
    """In recorded plans, whose texts hold faults of their own, at 40 % of the items."""
    assert not problems(tried(step, "recorded", (0.4,)))


def test_the_page_shows_what_the_rubrics_of_today_notice() -> None:
    """All of the panel: else run `python -m tools.rubric_power STEP`."""
    rows = rubric_power.shown()
    versions = {step: rubric.version for step in STEPS if (rubric := load.find(step)) is not None}
    assert versions.keys() == rows.keys()
    assert not [step for step, row in rows.items() if row.version != versions.get(step)]
    assert not [step for step, row in rows.items() if rubric_power.FAILS in row.marks]


def test_a_rubric_that_weighs_one_thing_only_fails() -> None:
    """The panel can fail: counting items alone, nothing that is said in them shows."""
    rubric = load.find("identify_risks")
    assert rubric is not None
    uses = tuple(
        use.model_copy(update={"weight": float(use.metric == "quantity")}) for use in rubric.metrics
    )
    blind = rubric.model_copy(update={"metrics": uses})
    panel = ("duplicate", "another language", "lost items")
    results = damage_panel.outcomes_of(blind, "simulated", (1.0,), models=1, plans=5, panel=panel)
    assert {one.damage for one in results if one.problem} == {"duplicate", "another language"}
    assert {one.answer for one in results if one.damage == "lost items"} == {Word.reject}
