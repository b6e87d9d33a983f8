"""Iterations are found again, and their phases are done once."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from prompt_lab import atomic
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from self_improve.errors import ImproveError
from self_improve.iteration.folder import IDENTITY as IDENTITY_FILE
from self_improve.iteration.folder import LAST_PHASE, Facts, IterationFolder

IDENTITY = {"step": "plan_type", "models": ["m"]}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return an empty data repo."""
    return Layout(tmp_path)


def test_damaged_record_is_another_iteration(layout: Layout) -> None:
    """A damaged digest fits none."""
    folder = IterationFolder.begin(layout, "plan_type", IDENTITY)
    atomic.write_json(folder.path / IDENTITY_FILE, {"digest": [1, 2, 3]})
    assert IterationFolder.latest(layout, IDENTITY) is None


def test_same_identity_is_the_same_iteration(layout: Layout) -> None:
    """It is found by its identity; another identity is another iteration."""
    first = IterationFolder.begin(layout, "plan_type", IDENTITY)
    other = IterationFolder.begin(layout, "setup", {**IDENTITY, "step": "setup"})
    assert (first.id, other.id) == ("0_plan_type", "1_setup")
    assert IterationFolder.latest(layout, IDENTITY) == first
    assert IterationFolder.latest(layout, {**IDENTITY, "models": ["n"]}) is None
    again = IterationFolder.begin(layout, "plan_type", IDENTITY)
    assert IterationFolder.latest(layout, IDENTITY) == again


def test_an_iteration_that_lacks_agents_goes_on_without_them(layout: Layout) -> None:
    """It keeps its cells; one whose agents were asked, or that is finished, is another question."""
    auto, never = ({**IDENTITY, "analyse": mode} for mode in ("auto", "never"))
    folder = IterationFolder.latest_or_new(layout, "plan_type", auto, new=False)
    assert IterationFolder.latest_or_new(layout, "plan_type", never, new=False) == folder
    assert IterationFolder.latest(layout, {**never, "models": ["n"]}) is None
    for phase in ("analyse", LAST_PHASE):
        asyncio.run(folder.phase(phase, _nothing))
    assert IterationFolder.latest(layout, never) == IterationFolder.latest(layout, auto) == folder
    assert IterationFolder.latest(layout, {**IDENTITY, "analyse": "always"}) is None


async def _nothing() -> Facts:
    return {}


def test_phase_is_done_once(layout: Layout) -> None:
    """Its result is read back; a phase that failed is run again."""
    folder = IterationFolder.begin(layout, "plan_type", IDENTITY)
    done: list[int] = []

    async def work() -> Facts:
        done.append(1)
        if len(done) == 1:
            raise ImproveError("down")
        return {"runs": [len(done)]}

    with pytest.raises(ImproveError):
        asyncio.run(folder.phase("run", work))
    assert [asyncio.run(folder.phase("run", work)) for _ in range(2)] == [{"runs": [2]}] * 2
    assert not folder.finished
    asyncio.run(folder.phase(LAST_PHASE, work))
    assert folder.finished


def test_one_process_works_on_an_iteration(layout: Layout) -> None:
    """A second one is refused."""
    folder = IterationFolder.begin(layout, "plan_type", IDENTITY)
    with folder.lock(), pytest.raises(LabError, match="Another process"), folder.lock():
        pass


def test_other_folders_are_no_iterations(layout: Layout) -> None:
    """Analyses of older records have no identity; they stay, and so do their numbers."""
    (layout.analysis / "7_old").mkdir(parents=True)
    folder = IterationFolder.begin(layout, "plan_type", IDENTITY)
    assert IterationFolder.all(layout) == [folder]
    assert IterationFolder.numbered(layout, 8) == IterationFolder(layout, folder.path)
    with pytest.raises(ImproveError, match="There is no iteration 7"):
        IterationFolder.numbered(layout, 7)


def test_of_two_commands_at_once_one_begins(layout: Layout) -> None:
    """The same identity has one iteration, until a finished one is to be tried again."""
    folders: list[IterationFolder] = []

    def begin() -> None:
        folders.append(IterationFolder.latest_or_new(layout, "plan_type", IDENTITY, new=False))

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {folder.id for folder in folders} == {"0_plan_type"}

    async def work() -> Facts:
        return {}

    def again() -> IterationFolder:
        return IterationFolder.latest_or_new(layout, "plan_type", IDENTITY, new=True)

    assert again() == folders[0]
    asyncio.run(folders[0].phase(LAST_PHASE, work))
    assert again().id == "1_plan_type"
