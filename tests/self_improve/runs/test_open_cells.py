"""Cells that the world kept from ending stay open, and the same command tries them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prompt_lab.record import changed_since_done
from tests.self_improve.commands import only_run, runs
from tests.self_improve.lab import PLANS, STEP, Lab, asked, laboratory, levers, plan_of, purpose
from tests.wire.script import Raw, Reset, Say, Seen, Status, Step
from tests.wire.server import WireServer

DAY = Status(code=429, message="Rate limit reached for requests per day", name="requests")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A laboratory with three plans."""
    with laboratory(tmp_path, monkeypatch) as package:
        yield package


def failing(
    step: Step, when: Callable[[Seen], bool], reply: Callable[[Seen], Step] = purpose
) -> Callable[[Seen], Step]:
    """Return what answers as `reply`, but does `step` for requests of cells as long as `when`."""

    def answer(seen: Seen) -> Step:
        return step if seen.schema is not None and when(seen) else reply(seen)

    return answer


BROKEN: dict[str, tuple[Step, str]] = {
    "boat": (Status(code=503, message="Loading model"), "server"),
    "moor": (Reset(), "connection"),
    "radio": (Status(code=500, message="CUDA error: out of memory"), "out_of_memory"),
}


def test_the_same_command_tries_open_cells_again(lab: Lab) -> None:
    """Only those, and the run is finished once none is left."""
    broken = set(PLANS)

    def reply(seen: Seen) -> Step:
        is_broken = seen.schema is not None and plan_of(seen) in broken
        return BROKEN[plan_of(seen)][0] if is_broken else purpose(seen)

    with WireServer("openai", reply=reply) as server:
        lab.entry("m1", server, max_attempts=1)
        first = lab.run()
        run = only_run(lab.output)
        kinds = {plan: row["failure_kind"] for (plan, _), row in run.rows().items()}
        assert kinds == {plan: kind for plan, (_, kind) in BROKEN.items()}
        assert run.done() is None
        broken.discard("boat")
        broken.discard("radio")
        lab.run()
        broken.clear()
        before = len(asked(server))
        last = lab.run()
        assert [plan_of(seen) for seen in asked(server)[before:]] == ["moor"]
    assert (first.code, last.code) == (1, 0)
    assert "3 cells stayed open, for reasons outside of the prompt:\n  m1: 3 cells (" in first.err
    assert "Try them again: " in first.err
    assert [row["status"] for row in run.rows().values()] == ["ok"] * 3
    done = run.done()
    assert done is not None
    assert done["cells"] == {"ok": 3, "failed": 0, "partial": 0, "not_run": []}
    assert changed_since_done(run) == []


def test_failures_of_the_prompt_end_their_cells(lab: Lab) -> None:
    """The same prompt would fail again: the run is finished, and nothing is asked twice."""
    with WireServer("openai", reply=failing(Say(text="no JSON"), lambda _: True)) as server:
        lab.entry("m1", server, max_attempts=1)
        first, second = lab.run(), lab.run()
        assert len(asked(server)) == 3
    assert (first.code, second.code) == (1, 1)
    assert "stayed open" not in first.err
    assert only_run(lab.output).done() is not None


def test_accepted_failures_finish_the_run(lab: Lab) -> None:
    """Without another request."""
    reply = failing(Status(code=500), lambda seen: plan_of(seen) == "moor")
    with WireServer("openai", reply=reply) as server:
        lab.entry("m1", server, max_attempts=1)
        lab.run()
        before = len(server.requests)
        accepted = lab.run("--accept-failures")
        assert len(server.requests) == before
    assert accepted.code == 1
    assert "stayed open" not in accepted.err
    done = only_run(lab.output).done()
    assert done is not None
    assert done["cells"]["failed"] == 1


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (DAY, "daily_limit"),
        (Status(code=503, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}), "server"),
    ],
    ids=["a day", "a date"],
)
def test_a_model_that_cannot_go_on_stops_at_once(lab: Lab, step: Step, kind: str) -> None:
    """One request finds it out, the other model goes on, and what is left is said."""
    with (
        WireServer("openai", reply=failing(step, lambda _: True)) as spent,
        WireServer("openai", reply=purpose) as whole,
    ):
        lab.entry("m1", spent, workers=1)
        lab.entry("m2", whole)
        ran = lab.run("--model", "m2")
        assert len(asked(spent)) == 1
    assert ran.code == 1
    assert f"m1: 3 cells (2 not run, 1 {kind}): the server answered" in ran.err
    rows = {run.model: run.rows() for run in runs(lab.output)}
    assert [len(rows[name]) for name in ("m1", "m2")] == [1, 3]


def test_what_was_not_run_is_recorded_as_failed_if_that_is_accepted(lab: Lab) -> None:
    """Each of its cells has a row that says why, and the run is finished."""
    with WireServer("openai", reply=failing(DAY, lambda _: True)) as server:
        lab.entry("m1", server, workers=1)
        ran = lab.run("--accept-failures")
        assert len(asked(server)) == 1
    assert ran.code == 1
    run = only_run(lab.output)
    rows = run.rows()
    assert {row["failure_kind"] for row in rows.values()} == {"daily_limit"}
    assert sorted(row["calls"] for row in rows.values()) == [0, 0, 1]
    assert set(rows) == {(plan, 0) for plan in PLANS}
    assert changed_since_done(run) == []


def test_a_limit_that_passes_stops_nothing(lab: Lab) -> None:
    """The call waits as long as the server asks, and is answered."""
    limited = {"boat", "moor"}

    def passes(seen: Seen) -> bool:
        if plan_of(seen) not in limited:
            return False
        limited.discard(plan_of(seen))
        return True

    step = Status(code=429, headers={"Retry-After": "0.1"})
    with WireServer("openai", reply=failing(step, passes)) as server:
        lab.entry("m1", server)
        ran = lab.run()
        assert len(asked(server)) == 5
    assert ran.code == 0, ran.err


def test_a_cell_that_lacks_a_reply_for_such_a_reason_is_open(lab: Lab) -> None:
    """What the step made of the others would pass for what the prompt gives; they are kept."""
    seen_calls: list[Seen] = []
    broken = [True]

    def second_call(seen: Seen) -> bool:
        seen_calls.append(seen)
        return broken[0] and len(seen_calls) == 2

    half = Raw(body=b'{"choices": [{"message": {"conte')
    with WireServer("openai", reply=failing(half, second_call, levers)) as server:
        lab.entry("m1", server, max_attempts=1)
        plan = lab.plans / "boat"
        words = ["--step", STEP, "--model", "m1", "--plan-dir", plan]
        first = lab.run_words(*words)
        run = only_run(lab.output)
        assert "a call got no reply: connection: " in run.rows()["boat", 0]["error"]
        assert run.done() is None
        broken[0] = False
        before = len(seen_calls)
        second = lab.run_words(*words)
    assert (first.code, second.code) == (1, 0)
    row = run.rows()["boat", 0]
    assert (row["status"], row["partial"]) == ("ok", False)
    assert len(seen_calls) - before < row["calls"]
