"""TextGrad separates what is wrong, how a text should change, and the change."""

from __future__ import annotations

import asyncio
from typing import Any

from model_gateway.call import Call
from self_improve.generators.textgrad import BATCH, EPOCHS, STEPS, TextGrad
from self_improve.search.trial import Case
from tests.self_improve.scripted_search import CASES, OTHER, SURFACE, filled, helpful, shown


def roles(scripted: Any, step: str) -> list[str]:
    """Return the roles that were asked in one step, in order."""
    return [role for role, call in scripted.counsel.log if call.key.startswith(f"{step}/")]


def answered(role: str, call: Call[Any]) -> Any:
    """Say in critiques and gradients which call they come from."""
    return helpful(role, call) if role == "textgrad" else filled(call, f"said in {call.key}")


def test_step_criticizes_then_traces_back_then_updates(search) -> None:
    """One call an output, one an output and text, one a text."""
    scripted = search(helpful)
    asyncio.run(scripted.run(TextGrad()))
    kinds = ["textgrad_loss"] * BATCH + ["textgrad_gradient"] * BATCH + ["textgrad"]
    assert roles(scripted, "1.1") == kinds
    both = search(helpful, searched=(SURFACE, OTHER))
    asyncio.run(both.run(TextGrad()))
    kinds = ["textgrad_loss"] * 3 + ["textgrad_gradient"] * 6 + ["textgrad"] * 2
    assert roles(both, "1.1") == kinds


def test_gradient_reads_the_critique_and_the_update_all_gradients(search) -> None:
    """Aggregated over the batch."""
    scripted = search(answered)
    asyncio.run(scripted.run(TextGrad()))
    calls = {call.key: (role, call.user) for role, call in scripted.counsel.log}
    for n in (1, 2, 3):
        assert f"said in 1.1/loss_{n}" in calls[f"1.1/gradient_{n}/{SURFACE}"][1]
        assert f"said in 1.1/gradient_{n}/{SURFACE}" in calls[f"1.1/update/{SURFACE}"][1]


def test_all_texts_are_updated_together(search) -> None:
    """One step is one proposal."""
    scripted = search(helpful, searched=(SURFACE, OTHER))
    result = asyncio.run(scripted.run(TextGrad()))
    first = result.scored[1].proposal.texts
    assert all("1.1" in first[surface] for surface in (SURFACE, OTHER))


def test_three_epochs_of_four_steps_go_through_the_cases(search) -> None:
    """Each epoch sees every case that its 12 places have room for."""
    cases = tuple(Case(plan=f"p{n}", model="m1") for n in range(12))
    scripted = search(helpful, cases=cases, cells=2000)
    batches: dict[str, list[Case]] = {}
    score = scripted.score

    async def noted(proposals: Any, cells: Any) -> Any:
        if len(cells) == BATCH:
            batches.setdefault(str(len(batches)), list(cells))
        return await score(proposals, cells)

    scripted.score = noted
    asyncio.run(scripted.run(TextGrad()))
    drawn = list(batches.values())
    assert len(drawn) == EPOCHS * STEPS
    epochs = [
        [case for batch in drawn[n : n + STEPS] for case in batch]
        for n in range(0, len(drawn), STEPS)
    ]
    assert all(set(epoch) == set(cases) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_what_validates_worse_is_reverted(search) -> None:
    """The next step begins where this one began; without reverting, where it ended."""
    harm: dict[str, Any] = {"rule": lambda text, case: 0.9 - 0.1 * text.count("once")}
    for revert, counts in ((True, {0}), (False, set(range(EPOCHS * STEPS)))):
        scripted = search(helpful, **harm, cells=1000)
        asyncio.run(scripted.run(TextGrad(revert=revert)))
        updates = [call for role, call in scripted.counsel.log if role == "textgrad"]
        assert {shown(call)[0][1].count("once") for call in updates} == counts


def test_long_winded_critiques_are_cut(search) -> None:
    """They bring no text to a length that nobody could pay."""
    scripted = search(
        lambda r, c: helpful(r, c) if r == "textgrad" else filled(c, "word " * 40_000)
    )
    asyncio.run(scripted.run(TextGrad()))
    assert max(len(call.user) for _, call in scripted.counsel.log) < 20_000


def test_best_steps_are_confirmed_on_all_cases(search) -> None:
    """Whatever else was run on batches and validation cases."""
    result = asyncio.run(search(helpful).run(TextGrad()))
    means = [s.score for s in result.scored]
    assert result.scored[means.index(max(means))].on(CASES) is not None
