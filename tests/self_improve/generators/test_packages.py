"""The packages gepa and dspy search by our trial: their calls are ours, and so is their end."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import pytest

from model_gateway.call import Call, Failure, FailureKind
from self_improve.errors import UsageError
from self_improve.generators import catalogue
from self_improve.search import thread_bridge
from self_improve.search.search import best_of
from self_improve.search.thread_bridge import Bridge, Ended
from self_improve.search.trial import Proposal, Trial
from tests.self_improve.scripted_search import CASES, OTHER, START, SURFACE

PACKAGES = {"gepa-package": "gepa", "dspy-miprov2": "dspy", "dspy-bootstrap": "dspy"}


def has(package: str) -> bool:
    """Whether an extra is installed."""
    return importlib.util.find_spec(package) is not None


gepa = pytest.mark.skipif(not has("gepa"), reason="the extra is absent: plumbline[gepa]")
# Its import, and what it calls, warn of what later versions will change.
dspy = [
    pytest.mark.skipif(not has("dspy"), reason="the extra is absent: plumbline[dspy]"),
    pytest.mark.filterwarnings("default"),
]
ANY = [
    pytest.param("gepa-package", marks=gepa),
    pytest.param("dspy-miprov2", marks=dspy),
    pytest.param("dspy-bootstrap", marks=dspy),
]
ASKING = ANY[:2]


class Climbing:
    """A proposer that says `once` one time more with each call, and fills what else is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, role: str, call: Call[Any]) -> Any:
        """Answer a call."""
        self.calls += 1
        if "text" not in call.schema.model_fields:
            return dict.fromkeys(call.schema.model_fields, "Moorings.")
        return {"text": f"Name each {' once' * self.calls}.", "surface": SURFACE}


def test_absent_package_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are listed, and making one without its package is refused."""
    monkeypatch.setattr(thread_bridge, "find_spec", lambda _: None)
    listed = {one.name: one for one in catalogue.listed()}
    for name, package in PACKAGES.items():
        assert f"plumbline[{package}]" in listed[name].summary
        with pytest.raises(UsageError, match=rf"pip install 'plumbline\[{package}\]'"):
            catalogue.make(name)


@pytest.mark.parametrize("name", ASKING)
def test_package_climbs(search, name: str) -> None:
    """With a proposer that can help, the package finds better texts, scored on all cases."""
    proposer = Climbing()
    result = asyncio.run(search(proposer).run(catalogue.make(name)))
    best = best_of(result, CASES)
    assert best is not None
    assert (best.on(CASES) or 0) > 0.6
    assert result.proposer_calls == proposer.calls > 0


@gepa
def test_perfect_score_ends_the_search(search) -> None:
    """The package passes over what is perfect, for nothing and without an end of its own."""
    result = asyncio.run(
        search(Climbing(), rule=lambda *_: 1.0).run(catalogue.make("gepa-package"))
    )
    assert result.proposer_calls == 0
    assert result.cells == len(CASES)


@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("cells", [len(CASES), 11, 30])
def test_budget_is_never_exceeded(search, name: str, cells: int) -> None:
    """Not by a single cell, although the packages check theirs between rounds."""
    scripted = search(Climbing(), cells=cells)
    result = asyncio.run(scripted.run(catalogue.make(name)))
    assert len(scripted.measure.cells) == result.cells <= cells


@pytest.mark.parametrize("name", ANY)
def test_everything_failing_ends_the_search(search, name: str) -> None:
    """A package that counts failures as 0 does not go on for ever."""
    scripted = search(Climbing(), rule=lambda *_: None)
    result = asyncio.run(scripted.run(catalogue.make(name)))
    assert "failed" in result.stopped or result.cells <= 60


@pytest.mark.parametrize("name", ASKING)
def test_failed_cells_are_scored_low_and_not_raised(search, name: str) -> None:
    """A search goes on when some cells fail."""
    scripted = search(Climbing(), rule=lambda text, case: None if case.model == "m2" else 0.5)
    result = asyncio.run(scripted.run(catalogue.make(name)))
    assert len(result.scored) > 1
    assert result.scored[0].score == pytest.approx(0.25)


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize(
    "said", ["", START, "once " * 40_000, "```\nName it once.", {"failure": FailureKind.schema}]
)
def test_useless_proposer_neither_stalls_nor_wins(search, name: str, said: Any) -> None:
    """Nothing, the same text, far too much, a broken fence, and no reply."""

    def answer(role: str, call: Call[Any]) -> Any:
        if isinstance(said, dict):
            return Failure(kind=said["failure"], message="no")
        if "text" not in call.schema.model_fields:
            return dict.fromkeys(call.schema.model_fields, "Moorings.")
        return {"text": said}

    scripted = search(answer, rule=lambda text, case: 0.5)
    result = asyncio.run(scripted.run(catalogue.make(name)))
    best = best_of(result, CASES)
    assert best is not None
    assert best.proposal == scripted.baseline


@pytest.mark.parametrize("name", ANY)
def test_same_seed_gives_the_same_search(search, name: str) -> None:
    """So that a killed search can be replayed from the journal."""
    one, other = (asyncio.run(search(Climbing()).run(catalogue.make(name))) for _ in range(2))
    assert [s.proposal for s in one.scored] == [s.proposal for s in other.scored]
    assert one.trace == other.trace


@pytest.mark.parametrize("name", ASKING)
def test_several_texts_are_searched(search, name: str) -> None:
    """Each of them gets proposals of its own."""
    asked: list[str] = []

    def answer(role: str, call: Call[Any]) -> Any:
        if "text" not in call.schema.model_fields:
            return dict.fromkeys(call.schema.model_fields, "Moorings.")
        asked.append(call.user)
        return {"text": f"Name each once, in way {len(asked)}."}

    asyncio.run(search(answer, searched=(SURFACE, OTHER)).run(catalogue.make(name)))
    for surface in (SURFACE, OTHER):
        assert any(f'<prompt id="{surface}">' in user for user in asked)


def test_thread_ends_when_the_search_is_over(search) -> None:
    """What a thread asks behind the end is not asked, and no `except Exception` keeps it going."""
    scripted = search(Climbing(), cells=len(CASES))
    after: list[str] = []

    class Stubborn:
        name = "stubborn"

        async def search(self, trial: Trial) -> None:
            crossing = Bridge(trial)

            def work() -> None:
                for n in range(3):
                    proposal = crossing.admit({SURFACE: f"Try {n}."}, operator="x")
                    assert isinstance(proposal, Proposal)
                    try:
                        crossing.score([proposal], CASES)
                    except Exception:  # noqa: BLE001 - as a package does that goes on
                        after.append("went on")

            await crossing.run(work)

    result = asyncio.run(scripted.run(Stubborn()))
    assert result.stopped == f"the budget of {len(CASES)} cells is used up"
    assert len(result.scored) == 2
    assert not after


def test_cancelled_search_leaves_no_thread_asking(search) -> None:
    """A command that is interrupted spends nothing more."""
    scripted = search(Climbing())
    crossings: list[Bridge] = []

    class Endless:
        name = "endless"

        async def search(self, trial: Trial) -> None:
            crossings.append(Bridge(trial))

            def work() -> None:
                n = 0
                while True:
                    n += 1
                    crossings[0].admit({SURFACE: f"Try {n} once."}, operator="x")

            await crossings[0].run(work)

    async def interrupted() -> None:
        task = asyncio.create_task(scripted.run(Endless()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    with pytest.raises(Ended):
        crossings[0].score([scripted.baseline], CASES)
