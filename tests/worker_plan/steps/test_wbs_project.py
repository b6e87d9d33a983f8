"""The work in one tree and one table: nothing is lost, and no cell is a formula."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from tests.worker_plan.steps.work import LEVEL_1, LEVEL_2, tree
from worker_plan.outline import entries
from worker_plan.steps.wbs_project_level1_and_level2 import WbsProjectLevel1AndLevel2
from worker_plan.steps.wbs_project_level1_and_level2_and_level3 import (
    WbsProjectLevel1AndLevel2AndLevel3,
)

TABLE = "023-4-wbs_project_level1_and_level2_and_level3.csv"
TREE = "023-3-wbs_project_level1_and_level2_and_level3.json"


def test_phases_and_tasks_stand_under_the_project(tmp_path: Path) -> None:
    """With the ids that they have already."""
    step = prepared(
        WbsProjectLevel1AndLevel2, tmp_path, CreateWbsLevel1=LEVEL_1, CreateWbsLevel2=LEVEL_2
    )
    written = carry_out(step, Scripted(lambda _: FAILED))
    work = written["019-wbs_project_level1_and_level2.json"]
    assert [one.item.id for one in work.walk()] == ["top", "hull", "buy", "mend", "oven", "fit"]
    assert work.wbs_project.extra_fields == {"final_deliverable": "A boat that bakes"}


def test_pieces_stand_under_their_tasks(tmp_path: Path) -> None:
    """In the tree with all that is known of them, in the table with name and id."""
    parts = [
        {"id": "p1", "name": "=Saw;\nplane", "description": "D.", "parent_id": "mend",
         "resources_needed": ["Saw"]},
        {"id": "p2", "name": "Paint", "parent_id": "mend"},
        {"id": "p3", "name": "Lost", "parent_id": "gone"},
    ]  # fmt: skip
    step = prepared(
        WbsProjectLevel1AndLevel2AndLevel3, tmp_path,
        WbsProjectLevel1AndLevel2=tree(), CreateWbsLevel3=parts,
    )  # fmt: skip
    written = carry_out(step, Scripted(lambda _: FAILED))
    assert written[TABLE] == (
        "Level 1;Level 2;Level 3;Level 4;Task ID\n"
        "Bakery;;;;top\n"
        ";Hull;;;hull\n"
        ";;Buy;;buy\n"
        ";;Mend;;mend\n"
        ';;;"\'=Saw; plane";p1\n'
        ";;;Paint;p2\n"
        ";Oven;;;oven\n"
        ";;Fit;;fit\n"
    )
    assert [one.depth for one in entries(written[TABLE])] == [0, 1, 2, 2, 3, 3, 1, 2]
    [saw] = [one.item for one in written[TREE].walk() if one.item.id == "p1"]
    assert saw.extra_fields == {"detailed_description": "D.", "resources_needed": ["Saw"]}
