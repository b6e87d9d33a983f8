"""The tree of the work: numbers, the level that is estimated, and what is written of it."""

from __future__ import annotations

import pytest

from worker_plan.work_breakdown import WorkBreakdown, WorkItem, task_id


@pytest.fixture
def work() -> WorkBreakdown:
    """Return a tree in which one phase is not taken apart and one task is."""
    part = WorkItem(id="part", description="Saw", extra_fields={"resources_needed": ["Saw"]})
    return WorkBreakdown(
        wbs_project=WorkItem(
            id="top",
            description="Bakery",
            task_children=[
                WorkItem(
                    id="hull",
                    description="Hull",
                    task_children=[
                        WorkItem(id="deck", description="Lay\nthe deck", task_children=[part]),
                        WorkItem(id="mast", description="Set the mast"),
                    ],
                ),
                WorkItem(id="feast", description="Feast"),
            ],
        )
    )


def test_tasks_are_numbered_by_their_places(work: WorkBreakdown) -> None:
    """Parents come before their children, each with the number of its own."""
    places = {one.number: one.item.id for one in work.walk()}
    assert places == {
        "": "top", "1": "hull", "1.1": "deck", "1.1.1": "part", "1.2": "mast", "2": "feast",
    }  # fmt: skip


def test_units_are_the_second_level(work: WorkBreakdown) -> None:
    """And whatever above it is not taken apart."""
    assert [one.item.id for one in work.units()] == ["deck", "mast", "feast"]


def test_outline_shows_every_task_on_a_line(work: WorkBreakdown) -> None:
    """With its number, deeper ones further in."""
    assert work.outline().splitlines() == [
        "- Bakery",
        "  - 1 Hull",
        "    - 1.1 Lay the deck",
        "      - 1.1.1 Saw",
        "    - 1.2 Set the mast",
        "  - 2 Feast",
    ]


def test_what_is_empty_is_not_written(work: WorkBreakdown) -> None:
    """What is not empty comes back."""
    written = work.model_dump()
    assert written["wbs_project"]["task_children"][1] == {"id": "feast", "description": "Feast"}
    assert WorkBreakdown.model_validate(written) == work


def test_ids_stay_and_differ() -> None:
    """The same place has the same id in every run, another one another."""
    assert task_id("Bakery", 1, "Hull") == task_id("Bakery", 1, "Hull")
    assert len({task_id("Bakery", 1, "Hull"), task_id("Bakery", 2, "Hull"), task_id("Hull")}) == 3
    assert len(task_id("x")) == 36
