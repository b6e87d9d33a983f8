"""A site with fewer plans and steps, because loops run several iterations."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.self_improve.full_plan.conftest import shortened
from tests.self_improve.iteration.conftest import IterationSite, lab_template, make_site

__all__ = ["lab_template", "make_site", "make_small_site"]


@pytest.fixture
def make_small_site(make_site: Callable[[str], IterationSite]) -> Callable[[str], IterationSite]:
    """Return a function that creates a site with two train plans and one verify plan."""

    def make(prompt: str) -> IterationSite:
        site = shortened(make_site(prompt))
        for split, count in (("train", 2), ("verify", 1)):
            plans = sorted(p for p in site.layout.split(split).iterdir() if p.is_dir())
            for plan in plans[count:]:
                shutil.rmtree(plan)
        return site

    return make
