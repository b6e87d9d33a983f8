"""Iterations are found again, and their phases are done once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from self_improve.errors import ImproveError
from self_improve.iteration.folder import (
    LAST_PHASE,
    Facts,
    IterationFolder,
    begin,
    find,
    held,
    numbered,
    places,
)

ORDER = {"step": "plan_type", "models": ["m"]}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return an empty data repo."""
    return Layout(tmp_path)


def test_same_order_is_the_same_iteration(layout: Layout) -> None:
    """It is found by what was asked for; another order is another iteration."""
    first = begin(layout, "plan_type", ORDER)
    other = begin(layout, "setup", {**ORDER, "step": "setup"})
    assert (first.id, other.id) == ("0_plan_type", "1_setup")
    assert find(layout, ORDER) == first
    assert find(layout, {**ORDER, "models": ["n"]}) is None
    again = begin(layout, "plan_type", ORDER)
    assert find(layout, ORDER) == again


def test_phase_is_done_once(layout: Layout) -> None:
    """What it found is read back; a phase that failed is done again."""
    place = begin(layout, "plan_type", ORDER)
    done: list[int] = []

    async def work() -> Facts:
        done.append(1)
        if len(done) == 1:
            raise ImproveError("down")
        return {"runs": [len(done)]}

    with pytest.raises(ImproveError):
        asyncio.run(place.phase("run", work))
    assert [asyncio.run(place.phase("run", work)) for _ in range(2)] == [{"runs": [2]}] * 2
    assert not place.finished
    asyncio.run(place.phase(LAST_PHASE, work))
    assert place.finished


def test_one_process_works_on_an_iteration(layout: Layout) -> None:
    """A second one is refused."""
    place = begin(layout, "plan_type", ORDER)
    with held(place), pytest.raises(LabError, match="Another process"), held(place):
        pass


def test_other_folders_are_no_iterations(layout: Layout) -> None:
    """Analyses of older records have no order; they stay, and so do their numbers."""
    (layout.analysis / "7_old").mkdir(parents=True)
    place = begin(layout, "plan_type", ORDER)
    assert places(layout) == [place]
    assert numbered(layout, 8) == IterationFolder(layout, place.path)
    with pytest.raises(ImproveError, match="There is no iteration 7"):
        numbered(layout, 7)
