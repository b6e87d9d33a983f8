"""The ground of iterations, with fewer plans and steps: loops run several of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.self_improve.full_plan.conftest import shortened
from tests.self_improve.iteration.conftest import Ground, context, lab_template

__all__ = ["context", "lab_template", "small_ground"]


@pytest.fixture
def small_ground(context: Callable[[str], Ground]) -> Callable[[str], Ground]:
    """Return what makes the ground with two train plans and one verify plan."""

    def make(prompt: str) -> Ground:
        made = shortened(context(prompt))
        for split, kept in (("train", 2), ("verify", 1)):
            plans = sorted(p for p in made.layout.split(split).iterdir() if p.is_dir())
            for plan in plans[kept:]:
                shutil.rmtree(plan)
        return made

    return make
