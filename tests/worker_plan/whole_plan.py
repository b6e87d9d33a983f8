"""A plan made by hand, so that late steps can be tested without the early ones."""

from __future__ import annotations

from pathlib import Path

from worker_plan.artifact import Input
from worker_plan.step import Step
from worker_plan.steps.create_schedule import CreateSchedule
from worker_plan.steps.create_wbs_level1 import CreateWbsLevel1
from worker_plan.steps.setup import Setup
from worker_plan.steps.wbs_project_level1_and_level2_and_level3 import (
    WbsProjectLevel1AndLevel2AndLevel3,
)

WORK = """\
Level 1;Level 2;Level 3;Level 4;Task ID
Bakery;;;;t1
;Hull;;;t2
;;Buy an oven;;t3
;;;Measure the hatch;t4
;Bread;;;t5
"""
SCHEDULE = """\
project_key,project_name,project_description,project_start_date,project_end_date,project_progress,project_parent,originating_department
t1,Bakery,,3/2/2026,3/20/2026,0,,x
t2,Hull,,3/2/2026,3/12/2026,0,t1,x
t3,Buy an oven,"Heavy, hot",3/2/2026,3/9/2026,0,t2,x
t5,Bread,,3/12/2026,3/20/2026,0,t1,x
"""


def put_what_is_read(step: type[Step], run_dir: Path, **texts: str) -> None:
    """Write each text that `step` reads into `run_dir`.

    `texts` are by the names of the step's attributes; the others tell where they come from.
    """
    usual = {
        Setup.plan.name: "A bakery on a canal boat.",
        CreateWbsLevel1.project_title.name: "Bakery",
        WbsProjectLevel1AndLevel2AndLevel3.table.name: WORK,
        CreateSchedule.table.name: SCHEDULE,
    }
    inputs = {name: it for name, it in vars(step).items() if isinstance(it, Input)}
    run_dir.mkdir(exist_ok=True)
    for attribute, read in inputs.items():
        name = read.artifact.name
        text = texts.get(attribute) or usual.get(name) or f"# Part\n\nText of {attribute}.\n"
        (run_dir / name).write_bytes(text.encode("utf-8", "replace"))
