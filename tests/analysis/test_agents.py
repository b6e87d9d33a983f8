"""Models behind the gateway and programs of their own, as agents."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from analysis import phases
from analysis.agent import AgentFailure, Brief
from analysis.model_agent import ModelAgent
from analysis.program import PROGRAMS, Program
from analysis.program_agent import ProgramAgent
from analysis.record import Opinion, Record
from analysis.replies import Insight
from model_gateway import entry_files
from model_gateway.counsel import ATTEMPTS, Counsel
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps, Ledger, Spend
from model_gateway.program_journal import ProgramJournal, spent_on_programs
from tests.analysis.conftest import OUTPUT, finding
from tests.waiting import stretched, until

PROGRAMS_ASKED = "programs.jsonl"
SPEND = Spend(calls=2, tokens=1000, dollars=1.0)
GOOD = json.dumps({"findings": [finding()], "stance": "support"})


def program(tmp_path: Path, script: str, **changes: object) -> Program:
    """Return a program that is a shell script."""
    path = tmp_path / "stand-in"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    program = Program(
        name="stand-in", command=(str(path), "{answer}"), model_id="x-1", maximum=SPEND,
        read=PROGRAMS["codex"].read,
    )  # fmt: skip
    return replace(program, **changes)


def brief(record: Record) -> Brief:
    """Return an insight's brief."""
    return Brief(
        phase="insight", instructions="Look.", materials=record.materials(), first=[OUTPUT]
    )


def ask(record: Record, program: Program, ledger: Ledger | None = None) -> Insight:
    """Ask the program."""
    journal = ProgramJournal(record.layout.root / PROGRAMS_ASKED)
    agent = ProgramAgent(program, ledger or Ledger(), journal)
    return asyncio.run(agent.answer(brief(record), Insight))


def test_simulated_agents_quote_what_is_there(record: Record, tmp_path: Path) -> None:
    """Through the gateway, their quotes hold, and being in doubt they decide nothing."""

    async def session() -> list[Opinion]:
        async with Gateway() as gateway, Counsel(gateway, tmp_path / "c") as counsel:
            names = ("sim-analyst", "sim-critic")
            models = [entry_files.load().find(name) for name in names]
            agents = [ModelAgent(m, counsel, index=n) for n, m in enumerate(models)]
            return await phases.run(record, phases.INSIGHT, agents)

    opinions = asyncio.run(session())
    assert all(o.simulated and o.stance == "undecided" for o in opinions)
    assert any(one.holds for one in opinions[0].findings)
    rows = (tmp_path / "c" / ATTEMPTS).read_text().splitlines()
    assert len(rows) == 4


def test_program_reads_copies_and_answers(record: Record, tmp_path: Path) -> None:
    """Its directory holds the listed files and no others, its task comes on standard input."""
    script = f"cat > task; : > seen; find . -type f | sort > seen; printf '%s' '{GOOD}' > \"$1\""
    agent = program(tmp_path, f"{script}; cp task seen '{tmp_path}'")
    assert ask(record, agent).findings[0].path == OUTPUT
    seen = (tmp_path / "seen").read_text().split()
    assert sorted(seen) == sorted(
        ["./seen", "./task", *(f"./{n}" for n in record.materials().names())]
    )
    assert "Look." in (tmp_path / "task").read_text()


def test_program_gets_what_is_on_the_list_and_its_own_key(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the names of other keys; and what this machine names on purpose."""
    others = {
        "OTHER_API_KEY": "other-secret-value", "DATABASE_URL": "postgres://u:other-secret@h/x",
        "GH_PAT": "other-secret-pat", "NPM_AUTH": "other-secret-auth",
        "HTTPS_PROXY": "http://u:other-secret@proxy", "A_SETTING": "other-secret-setting",
    }  # fmt: skip
    on_purpose = {"MINE_API_KEY": "mine-value", "AWS_PROFILE": "mine-profile", "LC_ALL": "C"}
    for name, value in (others | on_purpose).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PLUMBLINE_AGENT_ENV", "AWS_PROFILE, NO_SUCH")
    script = f"env > '{tmp_path}/env'; printf '%s' '{GOOD}' > \"$1\""
    ask(record, program(tmp_path, script, key_variables=("MINE_API_KEY",)))
    output = (tmp_path / "env").read_text().splitlines()
    assert {f"{name}={value}" for name, value in on_purpose.items()} <= set(output)
    assert "other-secret" not in "".join(output)


@pytest.mark.parametrize("form", ["as it is", "escaped", "JSON in JSON"])
def test_key_in_an_answer_reaches_nobody(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Neither who asked nor the journal, and a recorded answer of an older version is cleaned."""
    key = 'k-"q/abcdefghijklm0123456789'
    monkeypatch.setenv("MINE_API_KEY", key)
    reason = json.dumps(json.dumps(key)) if form == "JSON in JSON" else key
    said = json.dumps({"findings": [finding()], "stance": "support", "reason": f"See {reason}."})
    if form == "escaped":
        said = said.replace(json.dumps(key)[1:-1], "".join(f"\\u{ord(one):04x}" for one in key))
    (tmp_path / "said").write_text(said)
    agent = program(tmp_path, f"cp '{tmp_path}/said' \"$1\"", key_variables=("MINE_API_KEY",))
    journal = record.layout.root / PROGRAMS_ASKED
    answer = ask(record, agent)
    assert "[key hidden]" in answer.reason
    assert "abcdefghijklm" not in answer.model_dump_json() + journal.read_text()
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    rows[-1]["said"] = said
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = ask(record, replace(agent, command=(str(tmp_path / "gone"),)))
    assert "[key hidden]" in again.reason
    assert "abcdefghijklm" not in again.model_dump_json()


def test_key_is_taken_out_before_a_complaint_is_cut(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a key would not be recognized any more."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    script = f'echo "$MINE_API_KEY{"x" * 290}" >&2; exit 1'
    with pytest.raises(AgentFailure) as raised:
        ask(record, program(tmp_path, script, key_variables=("MINE_API_KEY",)))
    assert "0123456789" not in str(raised.value)


@pytest.mark.parametrize("write", [str, lambda key: base64.b64encode(key.encode()).decode()])
def test_no_key_in_an_answer_goes_on(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[str], str]
) -> None:
    """However it is written, neither the answer nor its repetition from the journal has it."""
    monkeypatch.setenv("OTHER_API_KEY", "other-secret-value")
    said = json.dumps(
        {**json.loads(GOOD), "findings": [finding(observation=write("other-secret-value"))]}
    )
    agent = program(tmp_path, f"printf '%s' '{said}' > \"$1\"")
    for _ in range(2):
        insight = ask(record, agent)
        assert write("other-secret-value") not in insight.model_dump_json()
        assert "[key hidden]" in insight.model_dump_json()
    assert write("other-secret-value") not in (record.layout.root / PROGRAMS_ASKED).read_text()


def test_program_that_hangs_is_killed_with_all_it_started(record: Record, tmp_path: Path) -> None:
    """Nothing of its group lives on, and the failure says how long it had."""
    script = f"sleep 600 & echo $! > '{tmp_path}/pid'; wait"
    seconds = stretched(0.5)
    with pytest.raises(AgentFailure, match=f"killed after {seconds:g} s"):
        ask(record, program(tmp_path, script, seconds=seconds))
    child = int((tmp_path / "pid").read_text())
    until(
        lambda: (
            not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        )
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo broken >&2; exit 3", "stand-in ended with 3: broken"),
        ('echo prose > "$1"', "stand-in: schema"),
        ("true", "stand-in: empty"),
        ('echo "key $MINE_API_KEY" >&2; exit 1', r"\[key hidden\]"),
    ],
)
def test_program_that_gives_nothing_fails_visibly(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    """The message says why, without keys."""
    monkeypatch.setenv("MINE_API_KEY", "mine-secret-value")
    with pytest.raises(AgentFailure, match=said) as raised:
        ask(record, program(tmp_path, script, key_variables=("MINE_API_KEY",)))
    assert "mine-secret-value" not in str(raised.value)


def test_program_that_is_not_there_fails_visibly(record: Record, tmp_path: Path) -> None:
    """It is not a crash."""
    with pytest.raises(AgentFailure, match="cannot be started"):
        ask(record, program(tmp_path, "", command=(str(tmp_path / "gone"),)))


def test_program_is_charged_its_maximum_unless_it_says_less(record: Record, tmp_path: Path) -> None:
    """What is not known counts in full; what claude reports is settled."""
    ledger = Ledger()
    ask(record, program(tmp_path, f"printf '%s' '{GOOD}' > \"$1\""), ledger)
    assert ledger.spent == SPEND
    output = {
        "result": GOOD,
        "total_cost_usd": 0.25,
        "usage": {"input_tokens": 7, "output_tokens": 5},
    }
    claude = program(
        tmp_path, f"cat <<'X'\n{json.dumps(output)}\nX", read=PROGRAMS["claude"].read, name="claude"
    )
    ask(record, claude, ledger)
    assert ledger.spent == SPEND + Spend(calls=1, tokens=12, dollars=0.25)
    assert spent_on_programs(tmp_path / PROGRAMS_ASKED) == ledger.spent


def test_program_that_was_killed_with_us_counts_in_full(record: Record, tmp_path: Path) -> None:
    """Nobody saw it end; one that never started has spent nothing."""
    with pytest.raises(AgentFailure, match="cannot be started"):
        ask(record, program(tmp_path, "", command=(str(tmp_path / "gone"),)))
    journal = tmp_path / PROGRAMS_ASKED
    assert spent_on_programs(journal) == Spend()
    first, _ = journal.read_text().splitlines()
    journal.write_text(f"{first}\n{first[:20]}")
    assert spent_on_programs(journal) == SPEND


def test_program_is_not_asked_again_what_it_has_answered(record: Record, tmp_path: Path) -> None:
    """A resumed phase takes the answer from the journal; a useless one is asked for again."""
    script = f"echo x >> '{tmp_path}/started'; printf '%s' \"$(cat '{tmp_path}/next')\" > \"$1\""
    agent, ledger = program(tmp_path, script), Ledger()
    (tmp_path / "next").write_text("prose")
    with pytest.raises(AgentFailure, match="schema"):
        ask(record, agent, ledger)
    (tmp_path / "next").write_text(GOOD)
    for _ in range(2):
        assert ask(record, agent, ledger).findings[0].path == OUTPUT
    assert (tmp_path / "started").read_text().split() == ["x", "x"]
    assert ledger.spent == SPEND + SPEND
    (record.path / "change.diff").write_text("-Say it.\n+Say it twice.\n")
    ask(record, agent, ledger)
    assert (tmp_path / "started").read_text().split() == ["x", "x", "x"]


def test_program_without_room_under_the_cap_is_not_started(record: Record, tmp_path: Path) -> None:
    """Its declared maximum must fit."""
    agent = program(tmp_path, f"touch '{tmp_path}/started'")
    with pytest.raises(AgentFailure, match="budget"):
        ask(record, agent, Ledger(Caps(dollars=0.5)))
    assert not (tmp_path / "started").exists()


def test_installed_programs_are_read_only() -> None:
    """Their command lines say so."""
    assert "read-only" in PROGRAMS["codex"].command
    assert "Read,Grep,Glob" in PROGRAMS["claude"].command
    assert os.sep not in PROGRAMS["claude"].command[0]


def test_what_a_killed_program_left_is_swept(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one removes directories that nobody holds; its own is gone after it."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    left, in_use = place / "plumbline-work-program-left", place / "plumbline-work-program-held"
    for folder in (left, in_use):
        (folder / "files").mkdir(parents=True)
    lock = os.open(in_use, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    ask(record, program(tmp_path, f"printf '%s' '{GOOD}' > \"$1\""))
    assert list(place.iterdir()) == [in_use]
    os.close(lock)
