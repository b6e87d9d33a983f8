"""What rejects a candidate whatever else is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rubrics.rubric import Constraint, Gates, Quantity
from self_improve.measures.measured import MeasuredCell
from self_improve.verdict.gates import Gate, losses
from self_improve.verdict.look_decision import LookDecision
from self_improve.verdict.noise import FlipCount, assumed
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Look, RepeatedTests, Terms, permuted
from tests.self_improve.measured_runs import (  # fmt: skip
    METRIC,
    MODELS,
    PLANS,
    Change,
    better,
    lost,
    noise,
    noisy,
    rubric,
    terms,
)
from tools.relabelling import mirrored


def gated(pairing: Pairing, by: Terms | None = None) -> dict[str, Gate]:
    """Return the gates of a comparison by their names."""
    [one] = permuted([Look(pairing=pairing)], by or terms())
    return {gate.name: gate for gate in LookDecision(one, RepeatedTests(one.count)).gates}


def shrunk(share: float, keys: Sequence[tuple[str, str]]) -> Change:
    """Return what leaves some cells a share of their items."""

    def changed(one: MeasuredCell) -> MeasuredCell:
        if (one.plan, one.model) not in keys:
            return one
        return replace(one, items=round(share * (one.items or 0)))

    return changed


def test_a_model_that_fails_on_every_plan_is_a_loss_of_success() -> None:
    """Five of five cells of one model are beyond chance."""
    result = gated(noisy(lost(*((plan, "c") for plan in PLANS))))
    assert result["success"].failed
    assert "5 of c" in result["success"].message
    assert result["success"].p == pytest.approx(1 / 64)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_failures_reject_nothing(count: int) -> None:
    """Three and more keep a KEEP back, because a loss is to be suspected."""
    result = gated(noisy(lost(*((plan, "c") for plan in PLANS[:count]))))["success"]
    assert not result.failed
    assert result.blocks == (count >= 3)


@pytest.mark.parametrize("cells", [3, 4, 5])
def test_a_model_that_never_fails_is_lost_with_all_of_its_cells(cells: int) -> None:
    """Three coins fall alike in one of eight throws; noise that was measured never does."""
    flips = {m: FlipCount(flips=0, pairs=60) for m in MODELS}
    pairing = noisy(lost(*((plan, "c") for plan in PLANS[:cells])), plans=PLANS[:cells])
    assert gated(pairing, terms(noise=noise(flips=flips)))["success"].failed


@pytest.mark.parametrize(("cells", "whole"), [(3, 0), (4, 0), (5, 1)])
def test_a_model_that_keeps_one_item_of_ten_has_collapsed(cells: int, whole: int) -> None:
    """Also if one of its five cells keeps them all."""
    keys = [(plan, "c") for plan in PLANS[whole:cells]]
    pairing = noisy(shrunk(0.1, keys), plans=PLANS[:cells])
    result = gated(pairing)["collapse"]
    assert result.failed
    assert not gated(mirrored(pairing))["collapse"].failed


@pytest.mark.parametrize("cells", [3, 4, 5])
@pytest.mark.parametrize("calibrated", [True, False])
def test_a_model_that_is_damaged_in_every_cell_is_rejected(
    cells: int,
    calibrated: bool,  # noqa: FBT001 - pytest's
) -> None:
    """With a stated noise where none was measured; a repair is not rejected."""
    pairing = noisy(better(-2.5, model="e"), plans=PLANS[:cells])
    by = terms() if calibrated else terms(noise=assumed(rubric()))
    assert gated(pairing, by)["model"].failed
    assert gated(pairing, by)["model"].message.startswith("e fell ")
    assert not gated(mirrored(pairing), by)["model"].failed


def test_two_cells_show_no_damage() -> None:
    """Whatever they show."""
    pairing = noisy(better(-2.5, model="e"), plans=PLANS[:2])
    assert not gated(pairing)["model"].failed


def test_one_cell_of_three_is_an_outlier() -> None:
    """However far it fell."""
    pairing = noisy(better(-50.0, model="e", plan="boat"), plans=PLANS[:3])
    assert not gated(pairing)["model"].failed


def test_where_other_models_move_as_far_relabelling_decides() -> None:
    """What one model of three cells shows among others that moved as much is not damage."""
    changes = [better(-2.5 if m in "aceg" else 2.5, model=m) for m in MODELS]
    assert not gated(noisy(*changes, plans=PLANS[:3]))["model"].failed


def test_failures_that_others_make_up_for_are_chance() -> None:
    """As many cells gained success as lost it."""
    gone = lost(*((plan, "c") for plan in PLANS[:3]))
    pairing = noisy(gone)
    came = mirrored(noisy(lost(*((plan, "d") for plan in PLANS[:3]))))
    pairs = [
        other if other.model == "d" else one
        for one, other in zip(pairing.pairs, came.pairs, strict=True)
    ]
    assert not gated(Pairing(pairs=tuple(pairs)))["success"].failed


def test_failures_of_a_model_that_often_fails_are_no_evidence() -> None:
    """Runs of identical prompts lose as many cells of it."""
    flipping = {m: noise().flips[m].model_copy(update={"flips": 36}) for m in MODELS}
    pairing = noisy(lost(*((plan, m) for plan, m in zip(PLANS, MODELS[:5], strict=True))))
    assert not gated(pairing, terms(noise=noise(flips=flipping)))["success"].failed


def test_failures_outside_of_the_prompt_are_not_counted() -> None:
    """A server that was down says nothing of a prompt."""
    pairing = noisy(lost(*((plan, "c") for plan in PLANS), kind="server"))
    assert not gated(pairing)["success"].failed
    [one] = permuted([Look(pairing=pairing)], terms())
    assert losses(one).pairs == 30


def test_a_rubric_may_do_without_the_gate_of_success() -> None:
    """It is then not there."""
    one = rubric(gates=Gates(success=False))
    assert "success" not in gated(noisy(), terms(rubric=one))


def test_a_collapse_of_items_is_rejected_beyond_chance() -> None:
    """Six cells with less than two fifths of their items; half of them is none."""
    keys = [(plan, m) for plan in PLANS[:3] for m in "ab"]
    assert gated(noisy(shrunk(0.3, keys)))["collapse"].failed
    assert not gated(noisy(shrunk(0.5, keys)))["collapse"].failed
    assert not gated(mirrored(noisy(shrunk(0.3, keys))))["collapse"].failed


def test_a_model_that_falls_further_than_it_may_is_lost() -> None:
    """Although all others are as they were."""
    result = gated(noisy(better(-1.0, model="e"), spread=0.03))
    assert result["model"].failed
    assert result["model"].message.startswith(f"e fell in {METRIC}, by ")
    assert not result["plan"].failed


def test_a_plan_that_falls_further_than_it_may_is_lost() -> None:
    """Although all others are as they were."""
    result = gated(noisy(better(-1.0, plan="tram"), spread=0.03))
    assert result["plan"].failed
    assert result["plan"].message.startswith("tram is the worst plan")


def test_a_fall_within_what_is_allowed_passes() -> None:
    """The rubric says how much a model may fall."""
    pairing = noisy(better(-0.3, model="e"), spread=0.03)
    strict = terms(rubric=rubric(gates=Gates(model_drop=0.0)))
    free = terms(rubric=rubric(gates=Gates(model_drop=None, plan_drop=None)))
    assert not gated(pairing)["model"].failed
    assert gated(pairing, strict)["model"].failed
    assert "model" not in gated(pairing, free)


def test_a_limit_that_is_newly_broken_rejects() -> None:
    """The mean is beyond the bound after, and did not before."""
    limit = Constraint(text="few duplicates", metric=METRIC, high=0.6)
    by = terms(rubric=rubric(constraints=(limit,)))
    result = gated(noisy(better(-0.3)), by)[f"constraint {METRIC}"]
    assert result.failed
    assert "limit: at most 0.6" in result.message


def test_a_limit_that_was_broken_before_only_keeps_a_keep_back() -> None:
    """A candidate is not rejected for what it did not do."""
    limit = Constraint(text="few duplicates", metric=METRIC, high=0.2)
    result = gated(noisy(), terms(rubric=rubric(constraints=(limit,))))[f"constraint {METRIC}"]
    assert (result.failed, result.blocks) == (False, True)


def test_a_limit_on_an_unknown_measure_is_named() -> None:
    """It neither rejects nor keeps back."""
    limit = Constraint(text="kind words", metric="tone", low=1)
    result = gated(noisy(), terms(rubric=rubric(constraints=(limit,))))["constraint tone"]
    assert (result.failed, result.blocks) == (False, False)
    assert "tone is not measured" in result.message


def test_items_whose_texts_are_gone_have_collapsed() -> None:
    """As many items as before, but nothing in them; the reverse is a repair."""

    def emptied(one: MeasuredCell) -> MeasuredCell:
        return replace(one, filled=0) if one.model == "c" else replace(one, filled=10)

    pairs = tuple(
        replace(pair, before=replace(pair.before, filled=10)) for pair in noisy(emptied).pairs
    )
    assert gated(Pairing(pairs=pairs))["collapse"].failed
    assert not gated(mirrored(Pairing(pairs=pairs)))["collapse"].failed


def written(pairing: Pairing, after: dict[str, int], models: Sequence[str]) -> Pairing:
    """Return the pairs with ten texts in each field, and others after in some models."""
    before = {"name": 10, "options": 30, "aside": 10}
    pairs = [
        replace(
            pair,
            before=replace(pair.before, texts=before),
            after=replace(pair.after, texts=before | (after if pair.model in models else {})),
        )
        for pair in pairing.pairs
    ]
    return replace(pairing, pairs=tuple(pairs))


FIELDS = Quantity(required=("name", "options"))


@pytest.mark.parametrize("cells", [3, 4, 5])
@pytest.mark.parametrize("after", [{"name": 0}, {"options": 10}, {"name": 3}])
def test_a_model_whose_items_lost_a_required_field_is_lost(
    cells: int, after: dict[str, int]
) -> None:
    """Emptied in all items, or a list that lost most of its texts; the other way it is a gain."""
    by = terms(rubric=rubric(quantity=FIELDS))
    few = noisy(plans=PLANS[:cells], models=("c",)).pairs
    others = noisy(models=MODELS[3:]).pairs
    pairing = written(replace(noisy(), pairs=(*few, *others)), after, ["c"])
    assert gated(pairing, by)["fields"].failed
    assert not gated(mirrored(pairing), by)["fields"].failed
    assert "fields" not in gated(pairing)  # Where a rubric requires none.


@pytest.mark.parametrize("after", [{"aside": 0}, {"options": 15}, {"name": 8}])
def test_fields_that_are_not_required_and_smaller_losses_pass(after: dict[str, int]) -> None:
    """As do fewer items, which are what the gate of collapses is for."""
    by = terms(rubric=rubric(quantity=FIELDS))
    assert not gated(written(noisy(), after, ["c"]), by)["fields"].failed
    fewer = written(noisy(shrunk(0.1, [(plan, "c") for plan in PLANS])), {
        "name": 1, "options": 3,
    }, ["c"])  # fmt: skip
    gates = gated(fewer, by)
    assert not gates["fields"].failed
    assert gates["collapse"].failed


def test_a_model_that_often_leaves_a_field_empty_is_trusted_less() -> None:
    """Three cells of three are then no evidence."""
    often = {"c": FlipCount(flips=10, pairs=25)}
    by = terms(rubric=rubric(quantity=FIELDS), noise=noise(emptied_by_model=often))
    few = noisy(plans=PLANS[:3], models=("c",)).pairs
    pairing = written(
        replace(noisy(), pairs=(*few, *noisy(models=MODELS[3:]).pairs)), {"name": 0}, ["c"]
    )
    assert not gated(pairing, by)["fields"].failed
