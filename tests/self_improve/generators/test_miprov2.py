"""MIPROv2 bootstraps, grounds, and searches by a surrogate rather than by chance."""

from __future__ import annotations

import asyncio
from typing import Any

from self_improve.generators import catalogue, miprov2
from self_improve.generators.miprov2 import AUTO, MiproV2, MiproV2Heavy, demonstration_sets
from self_improve.search import proposer_calls
from self_improve.search.trial import Case
from tests.self_improve.scripted_search import CASES, OTHER, START, SURFACE, helpful, shown


def by_plan(text: str, case: Case) -> float:
    """Do well on some plans."""
    return 0.9 if case.plan in {"boat", "lock"} else 0.3


def test_surrogate_finds_what_chance_would_seldom_hit(search) -> None:
    """After a third of the trials it keeps to the neighbourhood of the best pair of 18 times 18."""
    hits = 0
    for seed in range(5):
        study = miprov2._study(search(helpful, seed=seed), 75)
        space = miprov2._Space(
            texts={SURFACE: [str(n) for n in range(18)]},
            demonstrations=[(str(n),) for n in range(18)],
            proposals={},
        )
        for number in range(75):
            asked = study.ask(miprov2._distributions(space))
            one, two = asked.params[SURFACE], asked.params["demonstrations"]
            hits += number >= 50 and one in {3, 4}
            study.tell(asked, 0.5 * (one in {3, 4}) + 0.5 * (two in {7, 8}))
    assert hits > 3 * 5 * 25 * 2 / 18


def test_light_search_is_not_random_alone(search) -> None:
    """The surrogate begins before the trials end, whatever the setting."""
    for trials in (9, 10, 14, 75):
        study = miprov2._study(search(helpful), trials)
        assert study.sampler._n_startup_trials <= trials / 3


def test_demonstrations_come_from_the_better_half(search) -> None:
    """They are texts of the step, the first set is empty, and all are different."""
    scripted = search(helpful, by_plan)
    [base] = asyncio.run(scripted.score([scripted.baseline], CASES))
    good = proposer_calls.better_half(base.outcomes.values())
    assert {one.case.plan for one in good} == {"boat", "lock"}
    sets = demonstration_sets(scripted, base, 6)
    assert sets[0] == ()
    assert len(set(sets)) == len(sets)
    assert all(
        text in proposer_calls.demonstrations(base.outcomes.values()) for s in sets for text in s
    )


def test_demonstrations_are_quoted_and_declared(search) -> None:
    """Behind the instruction, though their words stand in the plan."""
    line = "The harbour at Brindle Quay lends nine berths to travelling bakers from early spring."
    scripted = search(helpful)
    measure = scripted.measure
    measure._outcome = lambda text, case, _o=measure._outcome: _o(text, case).__class__(
        case=case, score=0.5, plan="p", output=[line]
    )
    result = asyncio.run(scripted.run(MiproV2()))
    with_one = [s.proposal for s in result.scored if f"\n> {line}" in s.proposal.texts[SURFACE]]
    assert with_one
    assert all("demonstrations" in one.operator for one in with_one)


def test_proposals_are_grounded(search) -> None:
    """In the old text, plans, good outputs, faults, and a hint of its own each."""
    scripted = search(helpful)
    asyncio.run(scripted.run(MiproV2()))
    calls = [call for _, call in scripted.counsel.log]
    assert len(calls) == AUTO["light"] - 1
    for part in ("Name the moorings.", "Brindle Quay", "by the water", "near_duplicates", "Hint: "):
        assert all(part in call.user for call in calls)
    hints = {call.user.split("Hint: ")[1] for call in calls}
    assert len(hints) == len(calls)


def test_every_text_is_a_variable_of_its_own(search) -> None:
    """With two surfaces, combinations change both."""
    scripted = search(helpful, searched=(SURFACE, OTHER))
    result = asyncio.run(scripted.run(MiproV2()))
    assert [shown(call)[0][0] for _, call in scripted.counsel.log].count(OTHER) == 5
    both = [
        s
        for s in result.scored
        if s.proposal.texts[SURFACE] != START and s.proposal.texts[OTHER] != "A short phrase."
    ]
    assert any(s.outcomes for s in both)


def test_best_mean_is_scored_on_all_every_fifth_trial(search) -> None:
    """Minibatches are smaller than the whole."""
    scripted = search(helpful)
    sizes: list[int] = []
    measure = scripted.measure

    async def counted(cells: Any) -> Any:
        sizes.append(len(cells))
        return await measure(cells)

    scripted.measure = counted
    result = asyncio.run(scripted.run(MiproV2Heavy()))
    assert sizes[0] == len(CASES)
    assert max(sizes[1:]) == len(CASES) - 3
    assert sum(s.on(CASES) is not None for s in result.scored) >= 3


def test_settings_differ_in_the_number_of_candidates(search) -> None:
    """Six, twelve and eighteen."""
    asked = []
    for kind in ("miprov2", "miprov2-medium", "miprov2-heavy"):
        scripted = search(helpful)
        asyncio.run(scripted.run(catalogue.make(kind)))
        asked.append(len(scripted.counsel.log) + 1)
    assert asked == [6, 12, 18]


def test_nothing_to_combine_ends_the_search(search, rows) -> None:
    """Without a new text and without a demonstration."""
    scripted = search(lambda role, call: {"text": ""}, rule=lambda text, case: 0.0)
    result = asyncio.run(scripted.run(MiproV2()))
    assert result.cells == len(CASES)
    assert any("nothing to combine" in row.get("text", "") for row in rows)
