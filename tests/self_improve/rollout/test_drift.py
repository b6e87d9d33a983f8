"""Whether the model behind a name is still the one it was; servers stand in for providers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_gateway import config
from model_gateway.ledger import Caps
from prompt_lab.record import Run
from self_improve.errors import UsageError
from self_improve.progress import Counts
from self_improve.rollout import telling
from self_improve.rollout.drift import Drift, Finding
from self_improve.rollout.drift_run import BudgetReached, Checked, DriftCheck, DriftOrder
from self_improve.rollout.state import State
from tests.self_improve.commands import only_run, runs
from tests.self_improve.laboratory import ONE_CALL, PLANS, Lab, asked, laboratory, layout, purpose
from tests.wire.script import Raw, Say, Seen, Status, Step
from tests.wire.server import WireServer


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Return a laboratory with a store of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with laboratory(tmp_path, monkeypatch) as made:
        yield made


def order(lab: Lab, *against: Path, **changes: Any) -> DriftOrder:
    """Return the order of a check against these runs, or all that there are."""
    return DriftOrder(
        layout=layout(lab), against=against or tuple(run.path for run in runs(lab.output)),
        catalogue=config.load(), baseline_dir=lab.plans, **changes,
    )  # fmt: skip


def checked(wanted: DriftOrder, state: State | None = None) -> Checked:
    """Run a check."""
    check = DriftCheck(wanted, state or State(step=ONE_CALL))
    return asyncio.run(check.run(Counts()))


def drifted(lab: Lab, server: WireServer, later: Any) -> Drift:
    """Run a baseline, then a check in which the server replies with `later`."""
    lab.entry("m1", server)
    ran = lab.run()
    assert ran.code == 0, ran.err
    server.reply = later
    return checked(order(lab)).drift


def under_another_name(seen: Seen) -> Step:
    """Answer as before, and say that another model did."""
    if seen.schema is None:
        return Say(text="1")
    said = purpose(seen)
    assert isinstance(said, Say)
    message = {"role": "assistant", "content": said.text}
    body = {
        "id": "x", "object": "chat.completion", "created": 1, "model": "wire-m1-0826",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }  # fmt: skip
    return Raw(body=json.dumps(body).encode())


def counted_otherwise(seen: Seen) -> Step:
    """Answer as before, and count other numbers of input tokens."""
    said = purpose(seen)
    assert isinstance(said, Say)
    return replace(said, input_tokens=13)


def out_of_order(seen: Seen) -> Step:
    """Answer a ping, and refuse everything else."""
    return Say(text="1") if seen.schema is None else Status(code=400)


def test_model_that_answers_as_it_did_is_alike(lab: Lab) -> None:
    """Id, token counts and outputs are known on both sides, and are the same."""
    with WireServer("openai", reply=purpose) as server:
        found = drifted(lab, server, purpose)
        assert len(asked(server)) == 2 * len(PLANS)
    [model] = found.models
    assert (found.told, model.finding, model.reasons) == ("ALIKE", Finding.alike, ())
    assert model.reported == (("wire-m1",), ("wire-m1",))
    assert (model.same_requests, model.other_tokens, model.pairs) == (3, 0, 3)


def test_other_reported_id_is_a_change(lab: Lab) -> None:
    """The name is told, before and after."""
    with WireServer("openai", reply=purpose) as server:
        found = drifted(lab, server, under_another_name)
    assert found.finding is Finding.changed
    assert found.models[0].reasons == ("the provider reports wire-m1-0826, and reported wire-m1",)


def test_other_count_of_the_same_tokens_is_a_change(lab: Lab) -> None:
    """The same request is of as many tokens as it was, or another model read it."""
    with WireServer("openai", reply=purpose) as server:
        found = drifted(lab, server, counted_otherwise)
    assert found.finding is Finding.changed
    assert found.models[0].reasons == (
        "3 of 3 equal requests are counted as other numbers of tokens",
    )


def test_model_that_fails_now_is_inconclusive(lab: Lab) -> None:
    """No content is missing evidence, and evidence of nothing; the row is plain JSON."""
    with WireServer("openai", reply=purpose) as server:
        found = drifted(lab, server, out_of_order)
    assert found.finding is Finding.inconclusive
    assert found.models[0].effect is None
    told = telling.drift_lines(json.loads(json.dumps(found.to_row())))
    assert told[0] == "INCONCLUSIVE"
    assert "missing: outputs" in told[1]


def test_check_that_was_killed_before_it_told_pays_nothing_twice(lab: Lab) -> None:
    """Its runs are found again; once it is in the log the next one asks anew."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.run()
        baseline = only_run(lab.output).path
        first = checked(order(lab, baseline))
        before = len(server.requests)
        again = checked(order(lab, baseline))
        assert len(server.requests) == before
        assert again.after == first.after
        row = first.to_row(layout(lab))
        assert row["before"] == [f"history/0/00_{ONE_CALL}"]
        state = State(step=ONE_CALL, drifts=(row,))
        assert checked(order(lab, baseline), state).after != first.after
        assert len(asked(server)) == 3 * len(PLANS)


def test_cap_stops_it_and_the_next_one_goes_on(lab: Lab) -> None:
    """What was spent before counts, and no call more is sent than the cap allows."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server, workers=1)
        lab.run()
        baseline = only_run(lab.output).path
        sent = len(server.requests)
        with pytest.raises(BudgetReached):
            checked(order(lab, baseline, caps=Caps(calls=2)))
        assert len(server.requests) - sent <= 2 + 1  # the ping is not a cell's
        found = checked(order(lab, baseline, caps=Caps(calls=12)))
    assert found.drift.finding is Finding.alike
    assert len(asked(server)) == 2 * len(PLANS)


def test_runs_that_cannot_be_repeated_are_named(lab: Lab) -> None:
    """Other prompts, missing facts and models without a run: all problems at once."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.entry("m2", server)
        text = lab.place / "text.txt"
        text.write_text("Find the purpose of the plan, and tell it.")
        lab.run("--prompt", f"IDENTIFY_PURPOSE_SYSTEM_PROMPT={text}")
    other = only_run(lab.output)
    older = lab.output / "history" / "0" / "07_identify_purpose"
    older.mkdir(parents=True)
    (older / "meta.json").write_text(json.dumps({"step": ONE_CALL, "model": {"primary": "m1"}}))
    models = config.load().choose(["m1", "m2"])
    with pytest.raises(UsageError) as told:
        DriftCheck(order(lab, other.path, older, models=models), State(step=ONE_CALL))
    for part in ("with other prompts", "does not record its run_id", "none of the runs is of m2"):
        assert part in str(told.value)


def test_run_of_code_that_nobody_has_is_refused(lab: Lab) -> None:
    """Changed code that no commit names cannot be run again, so nothing is sent."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.run()
        run = only_run(lab.output)
        meta = dict(run.meta)
        meta["code"] = {**meta["code"], "digest": "0" * 64, "dirty": True}
        (run.path / "meta.json").write_text(json.dumps(meta))
        sent = len(server.requests)
        with pytest.raises(UsageError, match="that no commit names"):
            checked(order(lab, Run(run.path).path))
        assert len(server.requests) == sent
