"""The rubrics of this project: each can be used, and each measures the recorded plans."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

from prompt_lab.baselines import Baselines
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.measures.catalogue import check
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.measures.measurer import Measurer
from tools import unpacked
from worker_plan import steps
from worker_plan.step import Step

NAMES = load.names()

WITHOUT_ARTIFACT = {
    "self_audit": {
        "20250321_silo", "20260202_heatwave_resilience", "20260215_nuuk_clay_workshop",
        "20260303_crate_recovery_campaign",
    },
}  # fmt: skip
"""Plans that were recorded before a step wrote the artifact that is measured."""

_COPYING, _ENDS = "prompt_copying", "open_ends"
UNDEFINED = {
    "create_pitch": {_COPYING},
    "create_wbs_level1": {_COPYING, _ENDS},
    "create_wbs_level2": {_COPYING, _ENDS},
    "create_wbs_level3": {_COPYING},
    "enrich_levers": {_COPYING},
    "estimate_task_durations": {_COPYING},
    "expert_review": {_COPYING},
    "redline_gate": {"near_duplicates"},
    "swot_analysis": {_COPYING},
}
"""Metrics that cannot be taken of a recorded plan: its artifact keeps no prompt, its texts end
with no mark, or it holds one text only.

Copying is defined in runs, whose attempts hold the prompt.
"""


def rubric(name: str) -> Rubric:
    """Return the rubric of a step."""
    of_step = load.find(name)
    assert of_step is not None
    return of_step


def model_steps() -> set[str]:
    """Return the steps whose code asks a model."""
    result = set()
    for info in pkgutil.iter_modules(steps.__path__):
        module = importlib.import_module(f"{steps.__name__}.{info.name}")
        kinds = [
            kind
            for kind in vars(module).values()
            if inspect.isclass(kind)
            and issubclass(kind, Step)
            and kind.__module__ == module.__name__
        ]
        if any(name.endswith("_PROMPT") for name in vars(module)) and kinds:
            result.add(info.name)
    return result


def test_every_step_that_calls_a_model_has_a_rubric() -> None:
    """And no rubric is left over from a step that is gone."""
    assert set(NAMES) == model_steps()


@pytest.mark.parametrize("name", NAMES)
def test_a_rubric_can_be_used(name: str) -> None:
    """Metrics and settings are known, the weights make a whole, and a judge has questions."""
    of_step = rubric(name)
    check(of_step)
    assert sum(use.weight for use in of_step.metrics) == pytest.approx(1)
    assert 3 <= len(of_step.questions) <= 4
    assert len(of_step.why.split()) > 25
    assert {use.metric for use in of_step.metrics if use.of == "cell"} >= {
        "latency",
        "cost",
        "retries",
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_artifacts_of_a_rubric_are_those_of_its_step(name: str) -> None:
    """Both sources name what the step writes."""
    module = importlib.import_module(f"{steps.__name__}.{name}")
    written = {
        artifact.name
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Step) and kind.__module__ == module.__name__
        for artifact in kind.writes()
    }
    of_step = rubric(name)
    assert {s.artifact for s in (of_step.clean, of_step.replies) if s is not None} <= written


@pytest.mark.parametrize("name", NAMES)
def test_a_rubric_measures_the_recorded_plans(name: str) -> None:
    """Every plan of both splits, and every measure that weighs, but for the exceptions above."""
    folders = Baselines((unpacked.plans("train"), unpacked.plans("verify")))
    plans = [path.name for folder in folders.folders for path in sorted(folder.iterdir())]
    assert len(plans) == 9
    of_step = rubric(name)
    beside = MeasuredRun(
        path=Path("nowhere"), step=name, model="m", rubric_version=of_step.version,
        cells=tuple(MeasuredCell(plan=p, model="m", repeat=0, succeeded=True) for p in plans),
    )  # fmt: skip
    cells = Measurer(of_step, baselines=folders).baseline(beside).cells
    assert {cell.plan for cell in cells} == set(plans)
    failed = {cell.plan for cell in cells if not cell.succeeded}
    assert failed == WITHOUT_ARTIFACT.get(name, set())
    defined = {use for cell in cells for use in cell.values}
    undefined = {
        use.metric
        for use in of_step.metrics
        if use.weight and use.of == "clean" and use.id not in defined
    }
    assert undefined == UNDEFINED.get(name, set())
