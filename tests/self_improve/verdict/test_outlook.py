"""What more cells would bring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from prompt_lab.record import Evidence
from rubrics.rubric import Gates
from self_improve.verdict import Word, decide
from self_improve.verdict.composite import Composite, Part
from self_improve.verdict.look_decision import LookDecision
from self_improve.verdict.noise import Spread, assumed
from self_improve.verdict.outlook import Outlook, is_futile
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.prospect import LEAST_PAIRS
from self_improve.verdict.terms import Look, RepeatedTests, permuted
from tests.self_improve.measured_runs import (
    MODELS,
    PLANS,
    better,
    lost,
    noise,
    noisy,
    rubric,
    terms,
)
from tools.relabelling import looks


def composite(effect: float | None, *, pairs: int = 35, **more: Any) -> Composite:
    """Return a composite whose plans all agree."""
    values: dict[str, Any] = {
        "pairs": pairs, "effect": effect, "deviation": 1.0, "interval": None,
        "plan_interval": None, "p": 0.5, "drift": 1.0, "left_out": {}, "models": (),
        "plans": tuple(Part(name=p, pairs=7, effect=effect or 0, interval=None) for p in PLANS),
    }  # fmt: skip
    return Composite(**{**values, **more})


def outlook_of(pairing: Pairing, **more: Any) -> Outlook:
    """Return what would settle a comparison that is open."""
    by = terms(**more)
    [look] = permuted([Look(pairing=pairing)], by)
    result = LookDecision(look, RepeatedTests(look.count)).outlook
    assert result is not None
    return result


def again(pairing: Pairing, repeats: int, chance: np.random.Generator) -> Pairing:
    """Return the pairs with those of further repeats, drawn from the ones that were seen."""
    pairs = list(pairing.pairs)
    for repeat in range(1, repeats):
        drawn = chance.integers(0, len(pairing.pairs), len(pairing.pairs))
        for key, number in zip([p.key for p in pairing.pairs], drawn, strict=True):
            one = pairing.pairs[number]
            before, after = (
                replace(cell, plan=key[0], model=key[1], repeat=repeat)
                for cell in (one.before, one.after)
            )
            pairs.append(Pair(before=before, after=after))
    return replace(pairing, pairs=tuple(pairs))


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_so_many_cells_settle_it_in_four_cases_of_five(seed: int) -> None:
    """Either the word is no longer open, or an effect worth a merge is excluded."""
    open_one = noisy(better(0.02), spread=0.12, seed=seed)
    by = terms(flips=1000)
    first = decide(open_one, by, evidence=Evidence.real)
    assert first.word is Word.inconclusive
    assert first.further_cells
    repeats = 1 + first.further_cells // 35
    assert first.reasons[-1].endswith(f"run both sides with `--repeats {repeats}`")
    assert f"{first.further_cells + 35} in all" in first.reasons[-1]
    typed = decide(open_one, by, evidence=Evidence.real, again="type {} times".format)
    assert typed.reasons[-1].endswith(f"four cases of five: type {repeats} times")
    chance, settled = np.random.default_rng(seed), 0
    for _ in range(20):
        result = decide(again(open_one, repeats, chance), by, evidence=Evidence.real)
        settled += result.word is not Word.inconclusive or result.further_cells == 0
    assert settled >= 14  # Four of five, less what 20 draws vary by.


def test_what_was_given_up_after_a_few_cells_is_proposed_for_all_of_them() -> None:
    """The commands run every model on every plan, whatever a look has seen."""
    pairing = noisy(better(0.02), spread=0.12, seed=1)
    verdict = decide(looks(pairing, seed=3), terms(flips=1000), evidence=Evidence.real)
    assert verdict.futile
    assert verdict.pairs == 7
    assert verdict.further_cells
    assert (verdict.further_cells + verdict.pairs) % 35 == 0


def test_what_is_excluded_needs_no_more_cells() -> None:
    """And the text has the interval that excludes it."""
    result = outlook_of(noisy(spread=0.03))
    assert result.further_cells == 0
    assert result.text.startswith("an effect of 0.4, worth a merge, is excluded: the interval is")


def test_what_no_number_within_reach_settles_has_no_number() -> None:
    """Ten times as many cells would not be enough."""
    result = outlook_of(noisy(spread=5.0), noise=assumed(rubric()))
    assert result.further_cells is None
    assert "no number of cells within reach settles it" in result.text


def test_no_effect_is_excluded_that_the_interval_holds() -> None:
    """Nor on two pairs, which show nothing at all."""
    for pairing in (noisy(), noisy(plans=PLANS[:1], models=MODELS[:2]), noisy(spread=0.2)):
        result = decide(pairing, terms(), evidence=Evidence.real)
        reach = result.composite.interval
        assert reach is not None
        is_excluded = reach.low > -0.4 and reach.high < 0.4 and result.composite.pairs > 5
        assert (result.further_cells == 0) == is_excluded
        assert (result.visible_effect is None) == (result.composite.pairs < 6)


def test_a_few_pairs_go_by_the_calibrated_noise() -> None:
    """Two pairs that hardly differ do not show that others would not either."""
    few = noisy(plans=PLANS[:2], models=MODELS[:2], spread=0.001)
    calm = noise(composite=Spread(deviation=0.3, drift=1.0, widening=1.0, pairs=175))
    calibrated = outlook_of(few, noise=calm).further_cells
    assert calibrated
    assert calibrated < (outlook_of(few, noise=noise(composite=None)).further_cells or 1000)


def test_without_any_cell_in_common_other_runs_are_asked_for() -> None:
    """An empty run shows nothing of what more cells would show."""
    result = outlook_of(Pairing(pairs=()))
    assert result.further_cells is None
    assert "name runs that are not empty" in result.text


def test_no_number_is_proposed_that_can_never_reach_significance() -> None:
    """Two pairs that agree need four more; with two more, nothing could be said."""
    two = noisy(better(0.4), plans=PLANS[:2], models=("a",), spread=0.01)
    result = outlook_of(two, noise=noise())
    assert result.further_cells is not None
    assert result.further_cells + 2 >= LEAST_PAIRS


def test_where_every_cell_fails_more_cells_show_nothing_either() -> None:
    """No number is given that would promise something."""
    failing = noisy(lost(*((plan, model) for plan in PLANS for model in MODELS)))
    result = outlook_of(failing, rubric=rubric(gates=Gates(success=False)))
    assert result.further_cells is None
    assert result.text == "more cells of this kind would show nothing either"


@pytest.mark.parametrize(
    ("effect", "share", "futile"),
    [
        (0.0, 0.5, True),
        (0.08, 0.2, True),
        (0.16, 0.2, False),
        (0.12, 0.6, True),
        (0.0, 1.0, False),
        (0.5, 0.5, False),
    ],
)
def test_what_will_hardly_be_decided_is_given_up(
    effect: float,
    share: float,
    futile: bool,  # noqa: FBT001 - pytest's
) -> None:
    """Sooner if less shows, and not while something does."""
    result = composite(effect, pairs=round(80 * share), deviation=0.7)
    assert is_futile(result, share=share, minimal=0.4) == futile


def test_nothing_is_given_up_while_some_models_or_plans_fall() -> None:
    """The composite does not show it where others rise."""
    level = composite(0.0, pairs=18, deviation=0.7)
    assert is_futile(level, share=0.5, minimal=0.4, harm_p=0.5)
    assert not is_futile(level, share=0.5, minimal=0.4, harm_p=0.05)


def test_nothing_is_given_up_unseen() -> None:
    """Without an effect there is nothing to go by."""
    assert not is_futile(composite(None), share=0.5, minimal=0.4)
