"""What holds for every file in the folder of metrics."""

from __future__ import annotations

import inspect

import pytest

from self_improve.measures.catalogue import catalogue
from self_improve.measures.metric import AcrossMetric, CellMetric, PairMetric, RunMetric, parameters

NAMES = sorted(catalogue())


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_what_it_is(name: str) -> None:
    """A definition, a unit, a range, when it is undefined, and a source."""
    text = inspect.cleandoc(catalogue()[name].__doc__ or "")
    head, _, rest = text.partition("\n\n")
    assert head.endswith(".")
    assert all(word in rest for word in ("Unit: ", "Range: ", "Source: ", "ndefined"))


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_has_one_form(name: str) -> None:
    """Of a cell, across a run, of a pair or of a run; with a unit, and bounds in order."""
    metric = catalogue()[name]
    forms = (CellMetric, AcrossMetric, PairMetric, RunMetric)
    assert sum(isinstance(metric, form) for form in forms) == 1
    assert metric.UNIT
    assert metric.RANGE[0] < metric.RANGE[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_a_metric_is_documented(name: str) -> None:
    """Its name stands in the definition."""
    text = catalogue()[name].__doc__ or ""
    assert all(f"`{setting}`" in text for setting in parameters(catalogue()[name]))
