"""The verdicts on the recorded history: right where the truth is known, and else silent."""

from __future__ import annotations

import pytest
from scipy import stats

from prompt_lab.record import Evidence
from self_improve.comparison import comparability
from self_improve.verdict import Word, decide, word
from self_improve.verdict.differences import differences
from self_improve.verdict.pairing import Pairing
from tools import planted
from tools import recorded_comparisons as recorded
from tools.relabelling import looks, mirrored

RELABELLINGS = 200
HALVES = 10


def most(count: int) -> int:
    """Return the most false decisions of this many that 2.5 % allow, at 99 %."""
    return int(stats.binom.ppf(0.99, count, 0.025))


@pytest.fixture(autouse=True)
def _history() -> None:
    recorded.unpacked.history()


def words(pairing: Pairing, number: str) -> set[Word]:
    """Return what is said in both directions, by the noise of the other iterations only."""
    by = recorded.terms(without=(number,), flips=2000)
    return {word(pairing, by), word(mirrored(pairing), by)}


@pytest.mark.parametrize("number", recorded.SAME_PROMPTS)
def test_identical_prompts_are_neither_kept_nor_rejected(number: str) -> None:
    """In both directions, with noise that was measured on others."""
    assert words(recorded.pairing(number), number) == {Word.inconclusive}


@pytest.mark.parametrize("number", recorded.ALIKE)
def test_random_halves_of_alike_sides_are_seldom_decided(number: str) -> None:
    """Of either word there are no more than 2.5 % allow, in the two directions."""
    pairing = recorded.pairing(number)
    results = [words(recorded.half(pairing, seed=seed), number) for seed in range(HALVES)]
    assert sum(word is not Word.inconclusive for both in results for word in both) <= most(
        4 * HALVES
    )


@pytest.mark.parametrize("number", recorded.ALIKE)
def test_alike_sides_are_seldom_decided_at_any_look(number: str) -> None:
    """With early stopping, in several random orders of the cells."""
    by = recorded.terms(without=(number,), flips=2000)
    pairing = recorded.pairing(number)
    results = [
        word(looks(one, seed=seed), by) for seed in range(5) for one in (pairing, mirrored(pairing))
    ]
    assert results.count(Word.inconclusive) >= len(results) - most(2 * len(results))


@pytest.mark.parametrize("damage", list(planted.DAMAGES))
def test_one_model_that_is_damaged_in_all_of_its_items_is_rejected(damage: str) -> None:
    """In 3, 4 and 5 cells, if the others are as they were; unless the rubric calls it a repair."""
    by = recorded.terms(flips=500)
    harmed = planted.planted(damage, 1.0).pairs
    alike = [pair for number in recorded.ALIKE for pair in recorded.pairing(number).pairs]
    for model in sorted({pair.model for pair in harmed}):
        damaged = [pair for pair in harmed if pair.model == model and pair.succeeded]
        others = [pair for pair in alike if pair.model != model]
        if (
            len(damaged) < 5
            or differences(Pairing(pairs=tuple(damaged)), by.rubric).composites.mean() > 0
        ):
            continue
        for count in (3, 4, 5):
            pairing = Pairing(pairs=(*damaged[:count], *others[::2]))
            assert word(pairing, by) is Word.reject, (model, count)


EXPECTED = {
    "2": Word.reject, "3": Word.keep, "10": Word.reject, "18": Word.keep, "19": Word.keep,
}  # fmt: skip
"""What is known: a collapse, a repetition that the next iteration repaired, and improvements."""


def test_of_the_recorded_comparisons_nine_are_decided_and_the_others_say_what_they_could_see() -> (
    None
):
    """Each with its reason, or with the smallest effect that would have shown."""
    results = {
        number: decide(recorded.pairing(number), recorded.terms(), evidence=Evidence.historical)
        for number in recorded.iterations()
    }
    assert {number: results[number].word for number in EXPECTED} == EXPECTED
    decided = [one for one in results.values() if one.word is not Word.inconclusive]
    assert len(decided) >= 9
    for one in results.values():
        assert one.reasons
        assert one.visible_effect is not None
    open_ones = [one for one in results.values() if one.word is Word.inconclusive]
    assert all(" show " in one.reasons[0] for one in open_ones)


def test_the_collapse_is_rejected() -> None:
    """Iteration 10, with and without early stopping, because cells were lost."""
    pairing = recorded.pairing("10")
    result = decide(pairing, recorded.terms(), evidence=Evidence.historical)
    assert result.word is Word.reject
    assert [gate.name for gate in result.gates if gate.failed] == ["success"]
    assert word(looks(pairing, seed=1), recorded.terms()) is Word.reject


@pytest.mark.parametrize("number", ["3", "8", "18", "19"])
def test_no_real_improvement_is_rejected(number: str) -> None:
    """With and without early stopping."""
    pairing = recorded.pairing(number)
    assert word(pairing, recorded.terms()) is not Word.reject
    assert word(looks(pairing, seed=1), recorded.terms()) is not Word.reject


@pytest.mark.parametrize("stopping", [False, True])
def test_relabelled_comparisons_are_seldom_decided(*, stopping: bool) -> None:
    """Over all iterations, few are kept and few rejected if before and after are exchanged."""
    by = recorded.terms(flips=1000)
    said = [
        word(looks(one, seed=draw) if stopping else one, by)
        for _, draw, one in recorded.relabelled(RELABELLINGS, seed=1)
    ]
    assert said.count(Word.keep) <= most(RELABELLINGS)
    assert said.count(Word.reject) <= most(RELABELLINGS)


def test_the_stored_noise_is_what_the_history_shows() -> None:
    """`make noise` would write the same numbers."""
    measured = recorded.noise().model_dump(exclude={"sources"})
    assert recorded.stored().model_dump(exclude={"sources"}) == measured


def test_what_older_records_lack_is_named_and_makes_them_historical() -> None:
    """Nothing is refused, and nothing is taken for known."""
    one = recorded.iterations()["18"]
    result = comparability.check(one.before, one.after)
    assert result.refusals == ()
    assert "models' arguments" in result.unknown
    assert not result.together


def test_empty_runs_and_models_on_one_side_are_named() -> None:
    """The traps of the data: an empty run that was run again, and a model that was exchanged."""
    notes = recorded.pairing("3").notes
    assert any("an empty run after, left out" in note for note in notes)
    notes = recorded.pairing("13").notes
    assert sum("so it is left out" in note for note in notes) == 2
