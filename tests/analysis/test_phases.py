"""Phases run once, keep what succeeded, and stop when nobody answers."""

from __future__ import annotations

import asyncio

import pytest

from analysis import phases
from analysis.errors import AnalysisError
from analysis.record import Record
from tests.analysis.conftest import OUTPUT, Scripted, finding

SUPPORT = {"stance": "support", "reason": "r", "findings": [finding()], "impact": "Better."}
UNFOUNDED = {"stance": "object", "findings": [finding(quote="was never written")]}


def run(record: Record, phase: phases.Phase, *agents: Scripted) -> list:
    """Run a phase."""
    return asyncio.run(phases.run(record, phase, agents))


def test_both_agents_look_independently(record: Record) -> None:
    """Neither is shown what the other wrote in the same phase; both pages are there."""
    one, two = Scripted("one", lambda _: SUPPORT), Scripted("two", lambda _: UNFOUNDED)
    opinions = run(record, phases.INSIGHT, one, two)
    assert [(o.agent, o.supports, o.objects) for o in opinions] == [
        ("one", True, False), ("two", False, False),
    ]  # fmt: skip
    assert OUTPUT in one.briefs[0].first
    assert not any("insight_" in name for name in two.briefs[0].materials.names())
    assert "~~was never written~~" in (record.path / "insight_two.md").read_text()


def test_next_phase_is_given_the_last(record: Record) -> None:
    """The insights of both are among the files that a code review begins with."""
    agents = [Scripted("one", lambda _: SUPPORT), Scripted("two", lambda _: SUPPORT)]
    run(record, phases.INSIGHT, *agents)
    run(record, phases.CODE_REVIEW, *agents)
    assert {record.name("insight_one.md"), record.name("insight_two.md")} <= set(
        agents[0].briefs[1].first
    )


def test_finished_answer_is_not_asked_for_again(record: Record) -> None:
    """A second run reads the record."""
    agents = [Scripted("one", lambda _: SUPPORT), Scripted("two", lambda _: SUPPORT)]
    first = run(record, phases.INSIGHT, *agents)
    assert run(record, phases.INSIGHT, *agents) == first
    assert [len(agent.briefs) for agent in agents] == [1, 1]


def test_one_failed_agent_leaves_a_marked_gap(record: Record) -> None:
    """The phase goes on with the other."""
    agents = [Scripted("one", lambda _: "timeout: late"), Scripted("two", lambda _: SUPPORT)]
    opinions = run(record, phases.INSIGHT, *agents)
    assert [o.failed for o in opinions] == ["timeout: late", None]
    assert "**No answer.**" in (record.path / "insight_one.md").read_text()


def test_phase_in_which_both_fail_stops_hard_and_can_be_repeated(record: Record) -> None:
    """Nothing is kept, so that the same command asks again."""
    down = [Scripted("one", lambda _: "down"), Scripted("two", lambda _: "down")]
    with pytest.raises(AnalysisError, match=r"insight failed: one: down; two: down"):
        run(record, phases.INSIGHT, *down)
    up = [Scripted("one", lambda _: SUPPORT), Scripted("two", lambda _: SUPPORT)]
    assert [o.failed for o in run(record, phases.INSIGHT, *up)] == [None, None]


def test_only_the_first_agent_synthesises(record: Record) -> None:
    """A phase of one agent asks nobody else."""
    agents = [Scripted("one", lambda _: SUPPORT), Scripted("two", lambda _: SUPPORT)]
    run(record, phases.SYNTHESIS, *agents)
    assert [len(agent.briefs) for agent in agents] == [1, 0]


def test_agents_stay_the_same_through_an_iteration(record: Record) -> None:
    """Another model in a later phase is refused."""
    run(
        record,
        phases.INSIGHT,
        Scripted("one", lambda _: SUPPORT),
        Scripted("two", lambda _: SUPPORT),
    )
    with pytest.raises(AnalysisError, match="names other agents or prompts"):
        run(
            record,
            phases.CODE_REVIEW,
            Scripted("one", lambda _: SUPPORT),
            Scripted("x", lambda _: SUPPORT),
        )


@pytest.mark.parametrize("names", [["one"], ["one", "one"]])
def test_independence_needs_two(record: Record, names: list[str]) -> None:
    """One agent, or the same twice, is not a second opinion."""
    with pytest.raises(AnalysisError, match="Two agents of different names"):
        run(record, phases.INSIGHT, *(Scripted(name, lambda _: SUPPORT) for name in names))


def test_objection_counts_only_with_a_quote_that_holds(record: Record) -> None:
    """The same stance on a checked quote is one."""
    agents = [
        Scripted("one", lambda _: UNFOUNDED),
        Scripted("two", lambda _: {"stance": "object", "findings": [finding()]}),
    ]
    assert [o.objects for o in run(record, phases.INSIGHT, *agents)] == [False, True]
