"""What is measured of a run as a whole, and of a cell against its counterpart."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.measures.catalogue import catalogue
from tests.self_improve.subjects import cell, use


def summary(metric: str, *cells: Any) -> dict[str, float]:
    """Return what a metric makes of a run."""
    listed: Any = catalogue()[metric]
    return dict(listed.summarise(cells))


def between(metric: str, before: Any, after: Any, *fields: str, **settings: Any) -> float | None:
    """Return what a metric makes of a cell and its counterpart."""
    listed: Any = catalogue()[metric]
    result: float | None = listed.between(before, after, use(metric, *fields, parameters=settings))
    return result


BROKEN = cell("moor", succeeded=False, failure_kind="timeout")


def test_success_is_the_share_of_cells() -> None:
    """One of two; a run without cells has no rate."""
    assert summary("success", cell(), BROKEN) == {"success": 0.5}
    assert summary("success") == {}


def test_recovered_cells_are_a_share_of_those_that_succeeded() -> None:
    """A failed cell counts for neither side."""
    cells = [cell(partial=True), cell("moor"), cell("radio", succeeded=False, partial=True)]
    assert summary("recovered_partial", *cells) == {"recovered_partial": 0.5}
    assert summary("recovered_partial", BROKEN) == {}


def test_failures_are_counted_by_their_kind() -> None:
    """A failure of the step's own has a name too, and kinds that do not occur are left out."""
    cells = [cell(), BROKEN, cell("radio", succeeded=False), BROKEN]
    assert summary("failure_kinds", *cells) == {"failed:other": 0.25, "failed:timeout": 0.5}


def test_pass_at_k_is_the_mean_over_plans() -> None:
    """One plan always succeeds, one in one of three repeats."""
    cells = [cell("boat", n) for n in range(3)]
    cells += [cell("moor", n, succeeded=n == 0) for n in range(3)]
    assert summary("pass_at_k", *cells) == {
        "pass@2": pytest.approx((1 + 2 / 3) / 2), "pass@3": 1.0,
    }  # fmt: skip


def test_pass_at_k_needs_repeats() -> None:
    """With one cell a plan it would only be the rate of success."""
    assert summary("pass_at_k", cell(), BROKEN) == {}
    assert summary("pass_at_k") == {}


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=8))
def test_pass_at_k_grows_with_k(done: list[bool]) -> None:
    """More tries are never worse."""
    result = summary("pass_at_k", *(cell(repeat=n, succeeded=ok) for n, ok in enumerate(done)))
    values = [result[f"pass@{k}"] for k in range(2, len(done) + 1)]
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)


@pytest.mark.parametrize(
    ("ratio", "penalty"),
    [
        (1.0, 0),
        (1.5, 0),
        (0.6, 0),
        (3.0, math.log(2)),
        (0.3, math.log(2)),
        (1.6, math.log(1.6 / 1.5)),
    ],
)
def test_length_is_penalised_both_ways(ratio: float, penalty: float) -> None:
    """Within the bounds not at all, beyond them by the logarithm."""
    before, after = cell(lengths={"review": 100.0}), cell(lengths={"review": 100.0 * ratio})
    assert between("length_ratio", before, after, "review") == pytest.approx(penalty)


def test_the_length_of_fields_that_one_side_lacks_is_left_out() -> None:
    """With none in common it is undefined."""
    before = cell(lengths={"review": 100.0, "name": 10.0, "old": 0.0})
    after = cell(lengths={"review": 300.0, "name": 10.0, "new": 5.0, "old": 3.0})
    fields = ("review", "name", "old", "new")
    assert between("length_ratio", before, after, *fields) == pytest.approx(math.log(2) / 2)
    assert between("length_ratio", before, cell(lengths={"new": 5.0}), *fields) is None


def test_without_fields_the_length_is_that_of_all_texts() -> None:
    """It stands under the empty name."""
    before, after = cell(lengths={"": 50.0}), cell(lengths={"": 150.0})
    assert between("length_ratio", before, after) == pytest.approx(math.log(2))


def test_collapse_is_items_after_over_items_before() -> None:
    """Undefined where a side has none to count."""
    assert between("collapse", cell(items=15), cell(items=3)) == 0.2
    assert between("collapse", cell(items=0), cell(items=3)) is None
    assert between("collapse", cell(items=5), BROKEN) is None


def test_items_are_lost_list_by_list() -> None:
    """More in one list do not make up for those that another lacks."""
    was, now = cell(lists={"a": 6, "b": 4}), cell(lists={"a": 9, "b": 1})
    assert between("lost_items", was, now) == pytest.approx(0.3)
    assert between("lost_items", was, now, both=True) == pytest.approx(0.6)
    assert between("lost_items", was, was) == 0.0
    assert between("lost_items", was, cell(lists={"a": 0, "b": 0})) == 1.0


def test_the_texts_of_a_field_can_be_lost_too() -> None:
    """A field that the cell lacks has none; without a baseline plan it is undefined."""
    was = cell(texts={"options": 45, "review": 15})
    assert between("lost_items", was, cell(texts={"options": 30}), "options") == pytest.approx(
        1 / 3
    )
    assert between("lost_items", was, cell(), "options", "review") == 1.0
    assert between("lost_items", BROKEN, was, "options") is None
    assert between("lost_items", cell(), was) is None


def test_texts_that_no_longer_end_with_a_mark_are_open() -> None:
    """Only where they did before: a list of labels never ended with one."""
    was = cell(closed={"review": 1.0, "name": 0.1})
    assert between(
        "open_ends", was, cell(closed={"review": 0.25, "name": 0.0}), "review", "name"
    ) == (0.75)
    assert between("open_ends", was, cell(closed={"name": 0.0}), "name") is None
    assert between("open_ends", cell(closed={"review": 0.7}), was, "review") == 0.0
