"""Runs that are interrupted, killed, capped, locked out or out of disk, and taken up again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from prompt_lab.record import Run, changed_since_done
from tests.model_gateway.tiny_disk import fill, tiny_disk
from tests.self_improve.commands import ROOT, only_run, runs
from tests.self_improve.lab import (  # fmt: skip
    ONE_CALL,
    PLANS,
    STEP,
    Lab,
    asked,
    laboratory,
    levers,
    purpose,
)
from tests.waiting import LONGEST, until
from tests.wire.script import Hang, Say, Seen, Step
from tests.wire.server import WireServer


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A laboratory with three plans."""
    with laboratory(tmp_path, monkeypatch) as package:
        yield package


def started(lab: Lab, *more: str, step: str = STEP) -> subprocess.Popen[str]:
    """Start the runner as a process of its own."""
    words = [*lab.words(*more, step=step), "--output-dir", lab.output]
    return subprocess.Popen(
        [sys.executable, "-m", "self_improve.runner", *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def costly(seen: Seen) -> Step:
    """Answer as `levers` does, and count many tokens, but for a ping."""
    said = levers(seen)
    assert isinstance(said, Say)
    return said if seen.schema is None else replace(said, input_tokens=3000, output_tokens=1500)


def whole(run: Run, plans: tuple[str, ...] = PLANS) -> None:
    """Check that a run has each cell's artifacts and exactly one row, and is finished."""
    lines = (run.path / "outputs.jsonl").read_text().splitlines()
    assert Counter(json.loads(line)["name"] for line in lines) == dict.fromkeys(plans, 1)
    assert all(row["error"] is None for row in run.rows().values())
    assert all(any(run.outputs(plan).iterdir()) for plan in plans)
    assert changed_since_done(run) == []


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(lab: Lab) -> None:
    """The exit code is 130, the message says so, and no finished call is repeated."""
    with WireServer("openai", reply=levers, delay=0.4) as server:
        lab.entry("m1", server, workers=1)
        process = started(lab)
        assert server.wait_requests(4)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LONGEST)
        assert process.returncode == 130
        assert "same command" in errors
        assert "Traceback" not in errors
        under_way = len(asked(server)) - sum(
            a.status == "ok" for a in only_run(lab.output).attempts()
        )
        assert lab.run(step=STEP).code == 0
        assert len(asked(server)) == 9 + under_way
    assert under_way <= 1
    whole(only_run(lab.output))


def test_a_polite_kill_is_like_ctrl_c(lab: Lab) -> None:
    """SIGTERM ends the command with code 130 and leaves nothing running."""
    with WireServer("openai", reply=levers, delay=1.0) as server:
        lab.entry("m1", server)
        process = started(lab)
        assert server.wait_requests(3)
        process.terminate()
        process.communicate(timeout=LONGEST)
    assert process.returncode == 130


def test_kill_9_at_any_moment_loses_nothing(lab: Lab) -> None:
    """Killed again and again, the same command ends with each cell once, and repeats no call.

    `make hostile` kills every long command, at more moments.
    """
    chance = random.Random(1)
    kills = 0
    with WireServer("openai", reply=levers, delay=0.15) as server:
        lab.entry("m1", server, workers=2)
        for _ in range(4):
            kills += _killed_after(
                started(lab), server, more=chance.randint(0, 3), seconds=chance.uniform(0, 0.3)
            )
        assert lab.run(step=STEP).code == 0
        run = only_run(lab.output)
        repeated = len(asked(server)) - 9
    assert run.done() is not None
    assert kills > 0
    # At most what was under way at a kill: two cells with a call each.
    assert repeated <= 2 * kills
    finished = [a for a in run.attempts() if a.status == "ok"]
    assert Counter((a.cell, a.key) for a in finished) == {
        (plan, f"levers_{n}"): 1 for plan in PLANS for n in (1, 2, 3)
    }
    whole(run)


def _killed_after(
    process: subprocess.Popen[str], server: WireServer, *, more: int, seconds: float
) -> bool:
    """Kill a process some time after it has sent `more` requests; False if it had ended."""
    count = len(server.requests) + more
    until(lambda: len(server.requests) >= count or process.poll() is not None)
    time.sleep(seconds)
    is_alive = process.poll() is None
    process.kill()
    process.communicate()
    return is_alive


def test_no_process_outlives_a_killed_command(lab: Lab) -> None:
    """After kill -9 of the command its zygote and cells are gone."""
    with WireServer("openai", reply=levers, delay=3.0) as server:
        lab.entry("m1", server)
        process = started(lab)
        assert server.wait_requests(2)
        family = _family(process.pid)
        assert len(family) >= 2
        process.kill()
        process.communicate()
        until(lambda: not any(map(_lives, family)))


def _family(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_cap_in_calls_is_never_exceeded(lab: Lab) -> None:
    """No request is sent beyond the cap, and a higher one does the rest."""
    cap = 7
    with WireServer("openai", reply=levers) as server:
        lab.entry("m1", server)
        ran = lab.run("--max-calls", str(cap), step=STEP)
        assert ran.code == 3
        assert "cap" in ran.err
        assert len(server.requests) <= cap
        first = len(server.requests)
        again = lab.run("--max-calls", str(cap), step=STEP)
        assert again.code in {2, 3}
        assert len(server.requests) - first <= 1  # at most its own ping
        before = len(asked(server))
        assert lab.run(step=STEP).code == 0
        assert len(asked(server)) == max(before, 9)
    whole(only_run(lab.output))


@pytest.mark.parametrize(("flag", "value"), [("--max-tokens", "30000"), ("--max-cost", "0.04")])
def test_caps_in_tokens_and_dollars_hold_for_the_worst_case(
    lab: Lab, flag: str, value: str
) -> None:
    """What was spent stays below the cap, because every attempt reserves its worst case."""
    with WireServer("openai", reply=costly) as server:
        lab.entry("m1", server)
        ran = lab.run(flag, value, "--json", step=STEP)
    assert ran.code == 3
    spent = ran.json["spent"]
    assert 0 < spent["tokens" if flag == "--max-tokens" else "dollars"] <= float(value)


def test_a_cost_cap_needs_a_price(lab: Lab) -> None:
    """A model without a price cannot be run under a cap in dollars."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server, price=None)
        ran = lab.run("--max-cost", "1")
        assert server.requests == []
    assert ran.code == 2
    assert "no price is known" in ran.err


def test_the_environment_caps_where_no_option_does(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PLUMBLINE_MAX_COST is kept or refused like the option; the option comes first."""
    monkeypatch.setenv("PLUMBLINE_MAX_COST", "1")
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server, price=None)
        assert lab.run().code == 2
        assert server.requests == []
        lab.entry("m2", server)
        monkeypatch.setenv("PLUMBLINE_MAX_CALLS", "1")
        assert lab.run(model="m2").code == 3
        assert lab.run("--max-calls", "99", model="m2").code == 0
        monkeypatch.setenv("PLUMBLINE_MAX_CALLS", "many")
        ran = lab.run(model="m2")
    assert (ran.code, "PLUMBLINE_MAX_CALLS='many' is not a whole number" in ran.err) == (2, True)


def test_a_server_that_overbills_is_stopped_and_named(lab: Lab) -> None:
    """Under a cap it gets no call after the reply that billed too much; other models go on."""

    def overbilled(seen: Seen) -> Step:
        said = purpose(seen)
        assert isinstance(said, Say)
        return said if seen.schema is None else replace(said, output_tokens=900_000)

    with (
        WireServer("openai", reply=overbilled) as liar,
        WireServer("openai", reply=purpose) as fair,
    ):
        lab.entry("m1", liar, workers=1)
        lab.entry("m2", fair)
        ran = lab.run("--max-tokens", "9000000", "--model", "m2")
        assert (len(asked(liar)), len(asked(fair))) == (1, 3)
        assert ran.code == 3
        assert "m1 was stopped, because its server billed 900011 tokens" in ran.err
    whole(next(run for run in runs(lab.output) if run.model == "m2"))


def test_a_killed_ping_is_charged_in_the_next_session(lab: Lab) -> None:
    """What was under way when the command died is in the ledger with its worst case."""

    def silent_at_first(seen: Seen) -> Step:
        return Hang() if len(server.requests) == 1 else purpose(seen)

    with WireServer("openai", reply=silent_at_first) as server:
        lab.entry("m1", server)
        process = started(lab, step=ONE_CALL)
        assert server.wait_requests(1)
        process.kill()
        process.communicate()
        # The lost ping, another one, and two of three cells.
        assert lab.run("--max-calls", "4").code == 3
        assert len(asked(server)) == 2
        assert lab.run().code == 0
    rows = (only_run(lab.output).path / "reservations.jsonl").read_text()
    assert rows.count('"reserved": {"cell": "ping"') == 3
    assert not list((lab.output / ".scratch" / "pings").iterdir())


def test_a_cell_that_is_killed_from_outside_runs_again(lab: Lab) -> None:
    """Its finished calls are replayed; killed again and again, it is the world's failure."""
    with WireServer("openai", reply=levers, delay=0.6) as server:
        lab.entry("m1", server, workers=1)
        process = started(lab)
        assert server.wait_requests(3)  # The ping and the first call are answered.
        os.kill(_cell_of(process.pid), signal.SIGKILL)
        process.communicate(timeout=LONGEST)
        assert process.returncode == 0
        assert len(asked(server)) <= 10
    run = only_run(lab.output)
    whole(run)
    assert "cell_killed" in (run.path / "events.jsonl").read_text()
    assert sum(row["replayed"] for row in run.rows().values()) >= 1


def _cell_of(pid: int) -> int:
    """Return the process of a cell: the child of the command's child."""
    [zygote] = [p for p in psutil.Process(pid).children() if "zygote" in " ".join(p.cmdline())]
    until(zygote.children)
    return zygote.children()[0].pid


def test_a_second_process_on_the_same_run_learns_who_is_there(lab: Lab) -> None:
    """It ends with code 2 and sends nothing for a cell."""
    with WireServer("openai", reply=levers, delay=1.5) as server:
        lab.entry("m1", server)
        process = started(lab)
        assert server.wait_requests(2)
        ran = lab.run(step=STEP)
        process.communicate(timeout=LONGEST)
        assert len(asked(server)) == 9
    assert ran.code == 2
    assert f"process {process.pid}" in ran.err
    whole(only_run(lab.output))


def test_two_commands_with_different_runs_share_a_history(lab: Lab) -> None:
    """They run at once, and their runs get different numbers."""
    with WireServer("openai", reply=purpose, delay=0.2) as server:
        lab.entry("m1", server)
        processes = [started(lab, "--seed", str(seed), step=ONE_CALL) for seed in (1, 2)]
        for process in processes:
            process.communicate(timeout=LONGEST)
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(run.number for run in runs(lab.output)) == [0, 1]


def test_a_finished_run_is_not_run_again_unless_asked(lab: Lab) -> None:
    """The same command says that it is finished; --new starts another, and goes on with it."""
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        lab.run()
        again = lab.run()
        assert len(asked(server)) == 3
        new = lab.run("--new")
        assert len(asked(server)) == 6
    assert (again.code, new.code) == (0, 0)
    assert "--new" in again.err
    first, second = runs(lab.output)
    assert first.meta["specification"] == second.meta["specification"]
    assert first.meta["run_id"] != second.meta["run_id"]


def test_torn_last_lines_are_passed_over(lab: Lab) -> None:
    """A run whose files all end in half a line is finished, and keeps the torn bytes.

    What is written at the end is written again, whole.
    """
    with WireServer("openai", reply=levers, delay=0.3) as server:
        lab.entry("m1", server, workers=1)
        process = started(lab)
        assert server.wait_requests(6)
        process.kill()
        process.communicate()
        run = only_run(lab.output)
        for name in ("attempts", "events", "outputs", "reservations"):
            with (run.path / f"{name}.jsonl").open("a") as file:
                file.write('{"name": "half')
        for name in ("usage_metrics.jsonl", "surfaces.json"):
            (run.path / name).touch()
        before = len(asked(server))
        assert lab.run(step=STEP).code == 0
        assert len(asked(server)) <= 9 + 1
        assert len(asked(server)) > before
    assert len((run.path / "usage_metrics.jsonl").read_text().splitlines()) == len(run.attempts())
    assert run.surfaces()["surfaces"]
    assert '{"name": "half' in (run.path / "outputs.jsonl").read_text()
    assert set(run.rows()) == {(plan, 0) for plan in PLANS}


def test_a_full_disk_is_reported_and_the_rest_is_done_later(lab: Lab) -> None:
    """The exit code is 2, the cause is named, and with room the same command finishes."""
    with (
        WireServer("openai", reply=purpose) as server,
        tiny_disk(lab.place / "out") as disk,
    ):
        lab.entry("m1", server)
        ballast = fill(disk, leave=2)
        ran = lab.run()
        assert ran.code == 2, ran.err
        assert "No space left" in ran.err
        assert "Traceback" not in ran.err
        ballast.unlink()
        assert lab.run().code in {0, 2}
        os.sync()


def test_a_place_that_cannot_be_written_is_named(lab: Lab) -> None:
    """A file in the way of the history gives one line and code 2."""
    (lab.place / "out").write_text("in the way")
    with WireServer("openai", reply=purpose) as server:
        lab.entry("m1", server)
        ran = lab.run()
    assert ran.code == 2
    assert str(lab.output) in ran.err
    assert "Traceback" not in ran.err
