"""Three words, and what each takes."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from prompt_lab.record import Evidence
from rubrics.rubric import Gates, MetricUse
from self_improve.measures.measured import MeasuredCell
from self_improve.verdict import Verdict, Word, decide, word
from self_improve.verdict.expectation import Expectation, parse
from self_improve.verdict.expectation_outcomes import Fulfilment
from self_improve.verdict.noise import assumed
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Look
from tests.self_improve.measured_runs import (  # fmt: skip
    METRIC,
    MODELS,
    OTHER,
    PLANS,
    better,
    lost,
    noise,
    noisy,
    rubric,
    terms,
)
from tools.relabelling import exchanged, looks, mirrored


def verdict_on(pairing: Pairing, **more: object) -> Verdict:
    """Return the verdict on a comparison."""
    return decide(pairing, terms(**more), evidence=Evidence.real)


def test_a_real_improvement_is_kept() -> None:
    """With the reason in words."""
    verdict = verdict_on(noisy(better(0.2)))
    assert (verdict.word, verdict.summary, verdict.further_cells) == (Word.keep, "KEEP", None)
    assert verdict.reasons[0].startswith("the composite rose by 1.")


def test_a_real_harm_is_rejected() -> None:
    """With the reason in words."""
    verdict = verdict_on(noisy(better(-0.2)))
    assert verdict.word is Word.reject
    assert verdict.reasons[0].startswith("the composite fell by 1.")


def test_noise_is_inconclusive_with_the_cells_that_would_settle_it() -> None:
    """Neither good nor harm is shown."""
    verdict = verdict_on(noisy())
    assert verdict.word is Word.inconclusive
    assert verdict.further_cells is not None
    assert "not beyond chance" in verdict.reasons[0]


def test_an_effect_too_small_to_matter_is_inconclusive_although_it_is_certain() -> None:
    """A merge must be worth it."""
    verdict = verdict_on(noisy(better(0.03), spread=0.01))
    assert verdict.word is Word.inconclusive
    assert "too little to matter (less than 0.2)" in verdict.reasons[0]
    assert "rests on" not in verdict.reasons[0]
    assert verdict.further_cells == 0
    assert verdict.reasons[-1].startswith("an effect of 0.4, worth a merge, is excluded")


def test_half_of_what_is_worth_a_merge_has_to_be_seen() -> None:
    """An effect of exactly that size would else be missed in half of all cases."""
    assert verdict_on(noisy(better(0.042), spread=0.01)).word is Word.keep
    assert verdict_on(noisy(better(-0.042), spread=0.01)).word is Word.reject


def test_an_effect_that_depends_on_one_plan_is_inconclusive() -> None:
    """Without that plan nothing would be left of it."""
    gates = Gates(plan_drop=None)
    verdict = verdict_on(noisy(better(0.8, plan="moor")), rubric=rubric(gates=gates))
    assert verdict.word is Word.inconclusive
    assert "rests on the plan moor (" in verdict.reasons[0]
    assert "too little" not in verdict.reasons[0]


def test_a_failed_gate_rejects_what_is_better_on_the_whole() -> None:
    """A lost model is not outweighed."""
    verdict = verdict_on(noisy(better(0.3), lost(*((plan, "c") for plan in PLANS))))
    assert verdict.word is Word.reject
    assert verdict.failed_gates[0].startswith("success: 5 cells failed")


def test_a_suspected_loss_keeps_a_keep_back() -> None:
    """Three failures do not reject, and what is better is not kept as long as they stand."""
    verdict = verdict_on(noisy(better(0.3), lost(*((plan, "c") for plan in PLANS[:3]))))
    assert verdict.word is Word.inconclusive
    assert any(reason.startswith("held back by success") for reason in verdict.reasons)


@pytest.mark.parametrize("models", [MODELS, ("c",)])
def test_what_can_no_longer_be_measured_keeps_a_keep_back(models: Sequence[str]) -> None:
    """In all cells or in those of one model, and no number of cells is promised to settle it."""

    def without(one: MeasuredCell) -> MeasuredCell:
        values = {name: value for name, value in one.values.items() if name != OTHER}
        return replace(one, values=values) if one.model in models else one

    result = decide(noisy(better(0.3), without), terms(), evidence=Evidence.real)
    assert result.word is Word.inconclusive
    assert f"what was measured before is not there after: {OTHER}" in result.reasons
    assert result.further_cells is None
    assert decide(noisy(better(0.3)), terms(), evidence=Evidence.real).word is Word.keep


def test_below_five_plans_a_verdict_does_not_generalise() -> None:
    """And says so."""
    verdict = verdict_on(noisy(better(0.3), plans=PLANS[:3]))
    assert verdict.word is Word.keep
    assert not verdict.generalises
    assert "3 plans: it does not generalise" in verdict.reasons[-1]
    assert verdict_on(noisy(better(0.3))).generalises


def test_simulated_evidence_is_labelled() -> None:
    """The word is the same, with a prefix."""
    verdict = decide(noisy(better(0.3)), terms(), evidence=Evidence.simulated)
    assert (verdict.summary, verdict.word) == ("SIMULATED KEEP", Word.keep)


def test_drift_between_batches_takes_more_evidence() -> None:
    """What decides within one stretch of time need not decide across two."""
    pairing = noisy(better(0.1))
    assert verdict_on(pairing, noise=assumed(rubric()), together=True).word is Word.keep
    verdict = verdict_on(pairing, noise=assumed(rubric()))
    assert verdict.word is Word.inconclusive
    [note] = [note for note in verdict.notes if "the noise of find was not measured" in note]
    figures = ("flips in 10%", "collapse in 2%", "deviations of 5 scales", "a drift of 1.4")
    assert all(figure in note for figure in figures)
    assert note.endswith("measure it with `python -m self_improve.noise --step find`")


def test_the_figures_that_are_assumed_of_a_new_model_are_named() -> None:
    """They are drawn from those of the others, and wider."""
    flips = {name: one for name, one in noise().flips.items() if name != "b"}
    verdict = verdict_on(noisy(), noise=noise(flips=flips))
    [note] = [note for note in verdict.notes if "was not measured" in note]
    assert note.startswith("the noise of b was not measured; assumed are success that flips in ")
    assert "deviations 1.5 times those over all models" in note
    assert "`python -m self_improve.noise --step find`" in note


def test_noise_of_another_version_of_the_rubric_is_named() -> None:
    """It is used, because nothing better is known."""
    verdict = verdict_on(noisy(), noise=noise(rubric_version=0))
    assert any("version 0 of the rubric" in note for note in verdict.notes)


def test_nothing_to_compare_is_inconclusive() -> None:
    """No pair, or no pair with content on both sides."""
    nothing = verdict_on(Pairing(pairs=()))
    assert (nothing.word, nothing.composite.effect) == (Word.inconclusive, None)
    failing = lost(*((plan, model) for plan in PLANS for model in MODELS))
    only_failures = verdict_on(noisy(failing), rubric=rubric(gates=Gates(success=False)))
    assert only_failures.reasons[0] == "no cell has content on both sides"


def test_the_same_comparison_gives_the_same_verdict_to_the_last_digit() -> None:
    """Its plain form is stable JSON, without anything that is no number."""
    rows = [verdict_on(noisy(better(0.1))).to_row() for _ in range(2)]
    texts = [json.dumps(row, allow_nan=False) for row in rows]
    assert texts[0] == texts[1]
    assert rows[0]["schema_version"] == 1
    assert rows[0]["verdict"] == rows[0]["word"]


def test_stored_key_of_the_text_of_gates_and_expectations_stays() -> None:
    """Records have had that key from the beginning."""
    verdict = declared("lower", noisy(), models=("c",))
    row = verdict.to_row()
    assert [gate["told"] for gate in row["gates"]] == [gate.message for gate in verdict.gates]
    assert [one["told"] for one in row["expectations"]] == [f"{METRIC}:lower:model=c"]
    assert not any("message" in one or "text" in one for one in row["gates"] + row["expectations"])


def test_verdicts_do_not_depend_on_the_order_of_cells_or_the_seed_of_flips() -> None:
    """A real effect is seen with every seed."""
    pairing = noisy(better(0.2))
    shuffled = replace(pairing, pairs=tuple(reversed(pairing.pairs)))
    words = {verdict_on(pairing, seed=seed).word for seed in range(5)} | {verdict_on(shuffled).word}
    assert words == {Word.keep}


def test_a_verdict_near_its_limit_does_not_depend_on_the_seed() -> None:
    """It is decided by more flips; far from the limit the few are enough."""
    for by, is_near in ((-0.0725, True), (-0.2, False)):
        pairing, rows = noisy(better(by), spread=0.14), set()
        for seed in range(1, 6):
            verdict = decide(pairing, terms(seed=seed, flips=1000), evidence=Evidence.real)
            rows.add((verdict.word, verdict.flips > 1000))
        assert len(rows) == 1
        assert rows.pop()[1] == is_near


def test_measures_without_a_baseline_plan_are_named() -> None:
    """What is held against the side before shows less, and the note says what to do."""
    use = MetricUse(metric="length_ratio", fields=("text",), weight=0.2, scale=0.1)
    rules = rubric(metrics=(*rubric().metrics, use))
    plain = noisy()
    long = replace(
        plain,
        pairs=tuple(
            replace(
                pair,
                before=replace(pair.before, lengths={"text": 100.0}),
                after=replace(pair.after, lengths={"text": 101.0}),
            )
            for pair in plain.pairs
        ),
    )
    [note] = [one for one in verdict_on(long, rubric=rules).notes if "baseline plan" in one]
    assert "length_ratio:text are held against the side before" in note
    assert "--baseline-dir" in note
    assert not [one for one in verdict_on(plain).notes if "baseline plan" in one]


def test_what_harms_one_way_is_good_the_other_way() -> None:
    """Exchanging the sides exchanges KEEP and REJECT."""
    pairing = noisy(better(0.2))
    assert (verdict_on(pairing).word, verdict_on(mirrored(pairing)).word) == (
        Word.keep,
        Word.reject,
    )


@pytest.mark.parametrize("stopping", [False, True])
def test_relabelled_sides_are_seldom_decided(*, stopping: bool) -> None:
    """Of comparisons whose labels mean nothing, few are kept or rejected, and as few with looks."""
    real, chance = noisy(better(0.3), lost(("boat", "a"))), np.random.default_rng(4)
    words = []
    for _ in range(200):
        pairing = exchanged(real, (chance.random(35) < 0.5).tolist())
        sequence = looks(pairing, seed=1) if stopping else pairing
        words.append(word(sequence, terms(flips=1000, together=True)))
    # 2.5 % and a one-sided 99 % bound on 200 draws.
    assert words.count(Word.keep) <= 10
    assert words.count(Word.reject) <= 10


def test_a_large_effect_stops_early_and_none_is_given_up() -> None:
    """Half of the cells are enough for either."""
    large = decide(looks(noisy(better(0.4)), seed=1), terms(), evidence=Evidence.real)
    assert (large.word, large.share < 0.8) == (Word.keep, True)
    none = decide(looks(noisy(spread=0.1), seed=1), terms(), evidence=Evidence.real)
    assert (none.word, none.futile, none.share < 0.8) == (Word.inconclusive, True, True)


def test_an_early_keep_waits_until_the_gates_could_have_spoken() -> None:
    """Two cells of each model could all be lost without a rejection; three of them could not."""
    every = looks(noisy(better(0.6)), seed=1)
    early = decide(every[:3], terms(), evidence=Evidence.real)
    assert early.word is Word.inconclusive
    assert "too few cells of each model" in " ".join(early.reasons)
    assert word(every[:5], terms()) is Word.keep
    gone = noisy(better(0.6), lost(*((plan, "c") for plan in PLANS)))
    words = {word(looks(gone, seed=seed), terms()) for seed in range(10)}
    assert words == {Word.reject}


@pytest.mark.parametrize("cells", [5, 6, 8])
def test_a_candidate_that_loses_too_many_cells_is_hardly_ever_kept_early(cells: int) -> None:
    """Whatever its texts gain: in at most one of forty orders."""
    chance = np.random.default_rng(cells)
    every = [(plan, model) for plan in PLANS for model in MODELS]
    gone = [every[n] for n in chance.choice(len(every), cells, replace=False).tolist()]
    pairing = noisy(better(0.6), lost(*gone))
    words = Counter(word(looks(pairing, seed=seed), terms(flips=500)) for seed in range(80))
    assert words[Word.keep] <= 2
    assert words[Word.reject] >= 70


def test_a_look_that_decided_is_found_again_when_more_cells_have_come() -> None:
    """A session that goes on reaches the same word at the same look."""
    every = looks(noisy(better(0.4)), seed=1)
    first = decide(every, terms(), evidence=Evidence.real)
    again = decide(every[: first.look], terms(), evidence=Evidence.real)
    assert again.to_row() == {**first.to_row(), "looks": first.look}


def test_a_decision_needs_a_look() -> None:
    """Without one there is nothing to say."""
    with pytest.raises(ValueError, match="at least one look"):
        decide([], terms(), evidence=Evidence.real)


def declared(direction: str, pairing: Pairing, **scope: tuple[str, ...]) -> Verdict:
    """Return the verdict with one declared expectation about the first metric."""
    way = "lower" if direction == "lower" else "higher"
    expected = Expectation(metric=METRIC, direction=way, **scope)
    return verdict_on(pairing, expectations=[expected])


def test_an_effect_in_one_model_is_met_where_it_was_declared() -> None:
    """The mean over all models would have hidden it."""
    pairing = noisy(better(0.25, model="c"), spread=0.05)
    assert verdict_on(pairing).word is Word.inconclusive
    verdict = declared("lower", pairing, models=("c",))
    assert verdict.word is Word.keep
    [one] = verdict.expectations
    assert (one.outcome, one.pairs) == (Fulfilment.met, 5)
    assert one.change == pytest.approx(0.25, abs=0.1)


def test_an_effect_that_did_not_come_is_unmet_with_the_power_it_had() -> None:
    """And with the pairs that would show what is worth having."""
    [one] = declared("lower", noisy(), models=("c",)).expectations
    assert one.outcome is Fulfilment.unmet
    assert one.visible is not None
    assert one.needed is not None


def test_the_opposite_of_what_was_declared_contradicts() -> None:
    """What is better otherwise is not kept then."""

    def swapped(verdict: Pairing) -> Pairing:
        pairs = []
        for one in verdict.pairs:
            after = one.after
            values = {METRIC: after.values[METRIC] + 0.2, OTHER: after.values[OTHER] - 0.8}
            pairs.append(replace(one, after=replace(after, values=values)))
        return replace(verdict, pairs=tuple(pairs))

    verdict = declared("lower", swapped(noisy()))
    assert verdict.expectations[0].outcome is Fulfilment.contradicted
    assert verdict.word is Word.inconclusive
    assert any(reason.startswith("contradicted") for reason in verdict.reasons)


def several(pairing: Pairing, *texts: str, **more: object) -> Verdict:
    """Return the verdict with expectations as they are written on a command line."""
    return verdict_on(pairing, expectations=[parse(text, rubric()) for text in texts], **more)


def test_a_met_expectation_does_not_outvote_one_that_is_not() -> None:
    """Both were declared, so both have to come true."""
    pairing = noisy(better(0.25, model="c"), spread=0.05)
    met, unmet = f"{METRIC}:lower:model=c", f"{OTHER}:lower:model=d"
    assert several(pairing, met).word is Word.keep
    assert several(pairing, met, unmet).word is Word.inconclusive


def test_a_primary_expectation_decides_alone() -> None:
    """Whatever else was hoped for."""
    pairing = noisy(better(0.25, model="c"), spread=0.05)
    primary, other = f"{METRIC}:lower:primary:model=c", f"{OTHER}:lower:model=d"
    verdict = several(pairing, primary, other)
    assert verdict.word is Word.keep
    assert [one.primary for one in verdict.expectations] == [True, False]
    swapped = several(pairing, f"{METRIC}:lower:model=c", f"{OTHER}:lower:primary:model=d")
    assert swapped.word is Word.inconclusive


def test_a_contradicted_primary_expectation_is_evidence_of_harm() -> None:
    """What a candidate was made for became worse, beyond chance."""
    pairing = noisy(better(-0.15, model="c"), spread=0.03)
    assert several(pairing, f"{METRIC}:lower:model=c").word is Word.inconclusive
    verdict = several(pairing, f"{METRIC}:lower:primary:model=c")
    assert verdict.word is Word.reject
    assert verdict.reasons[0] == f"contradicted: {METRIC}:lower:primary:model=c"


def test_an_expectation_without_cells_is_unmet() -> None:
    """Nothing was measured where it was to show."""
    [one] = declared("lower", noisy(), models=("z",)).expectations
    assert (one.outcome, one.pairs, one.p) == (Fulfilment.unmet, 0, None)


def test_expectations_do_not_make_false_keeps_frequent() -> None:
    """A declared effect of one model is met in few relabelled comparisons."""
    expected = Expectation(metric=METRIC, direction="lower", models=("c",))
    real, chance, keeps = noisy(better(0.3)), np.random.default_rng(2), 0
    for _ in range(200):
        pairing = exchanged(real, (chance.random(35) < 0.5).tolist())
        by = terms(flips=1000, together=True, expectations=[expected])
        keeps += word(pairing, by) is Word.keep
    assert keeps <= 10


def test_thirty_five_pairs_and_ten_thousand_flips_take_less_than_a_second() -> None:
    """Every metric, every gate and every interval included."""
    pairing, by = noisy(better(0.1)), terms(flips=10_000)
    decide(pairing, by, evidence=Evidence.real)
    began = time.process_time()
    decide([Look(pairing=pairing)], by, evidence=Evidence.real)
    assert time.process_time() - began < 1.0
