"""A small work breakdown, as the steps that schedule it read it."""

from __future__ import annotations

from typing import Any

LEVEL_1 = {"id": "top", "project_title": "Bakery", "final_deliverable": "A boat that bakes"}
LEVEL_2: list[dict[str, Any]] = [
    {
        "id": "hull",
        "major_phase_title": "Hull",
        "subtasks": [{"id": "buy", "description": "Buy"}, {"id": "mend", "description": "Mend"}],
    },
    {"id": "oven", "major_phase_title": "Oven", "subtasks": [{"id": "fit", "description": "Fit"}]},
]


def tree(**parts: list[str]) -> dict[str, Any]:
    """Return the tree of it; `parts` are names of pieces, by the id of the task they belong to."""

    def task(one: dict[str, str]) -> dict[str, Any]:
        children = [{"id": name, "description": name} for name in parts.get(one["id"], [])]
        return {"id": one["id"], "description": one["description"], "task_children": children}

    phases = [
        {
            "id": phase["id"],
            "description": phase["major_phase_title"],
            "task_children": [task(one) for one in phase["subtasks"]],
        }
        for phase in LEVEL_2
    ]
    return {"wbs_project": {"id": "top", "description": "Bakery", "task_children": phases}}
