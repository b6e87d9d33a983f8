"""The bundled plans, unpacked once, and the step with prompts that are put back after each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from self_improve.benchmark import campaign
from self_improve.benchmark.experiments.searches import Bench


@pytest.fixture(scope="session")
def bench_of_session(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Load the step, its plans and its rubric."""
    return Bench(campaign.unpacked(tmp_path_factory.mktemp("plans")))


@pytest.fixture
def bench(bench_of_session: Bench) -> Iterator[Bench]:
    """Return the bench; the step's own prompts stand in its module again afterwards."""
    yield bench_of_session
    bench_of_session.step.use(bench_of_session.step.texts)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory for what a search keeps."""
    return tmp_path / "search"
