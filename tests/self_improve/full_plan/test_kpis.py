"""What a whole plan says of one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from prompt_lab.record import Run
from self_improve.full_plan.kpis import of_step
from tests.self_improve.subjects import CLEAN, STEP, attempt, lever, levers, rubric, run, use


def finished(folder: Path, number: int) -> Run:
    """Return a finished run of one plan."""
    path = folder / "history" / "0" / f"{number:02d}_{STEP}"
    asked = [attempt("boat", "first", levers("A"), started=str(number))]
    return Run(run(path, {"boat": [lever("A")]}, asked, evidence={"kind": "real", "reasons": []}))


@pytest.mark.parametrize("is_alone", [True, False])
def test_an_altered_run_of_a_step_has_no_verdict_and_says_why(
    tmp_path: Path,
    is_alone: bool,  # noqa: FBT001 - pytest's
) -> None:
    """Also where it is compared with the baseline plan; the other steps keep theirs."""
    old, new = finished(tmp_path, 1), finished(tmp_path, 2)
    before = None if is_alone else old
    rules = rubric(use("duplicate_names", "name"))
    (tmp_path / "baseline" / "train" / "boat").mkdir(parents=True)
    (tmp_path / "baseline" / "train" / "boat" / CLEAN).write_text("[]")
    assert of_step(new, before, rules, Layout(tmp_path), 1).verdict is not None
    (new.path / "outputs" / "boat" / CLEAN).write_text("[]")
    kpis = of_step(Run(new.path), before, rules, Layout(tmp_path), 1)
    assert kpis.verdict is None
    assert f"0/02_{STEP} is altered: outputs/boat/{CLEAN} was changed" in kpis.why_not
