"""Programs and models that write code: what they are asked, may touch, cost, and leave behind."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.agent import AgentFailure
from analysis.program import PROGRAMS, Program
from model_gateway import entry_files
from model_gateway.counsel import Counsel
from model_gateway.errors import BudgetReached
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps, Ledger, Spend
from model_gateway.program_journal import ProgramJournal, spent_on_programs
from self_improve.iteration.implementing.implementer import Assignment, Work
from self_improve.iteration.implementing.model_implementer import (
    Edit,
    Edits,
    ModelImplementer,
    applied,
)
from self_improve.iteration.implementing.program_implementer import WRITERS, ProgramImplementer

OWN = 'A = Field(description="A name.")\nB = 2\nB = 2\n'
ASSIGNMENT = Assignment(
    key="implement_1", instructions="<direction>\nShorter\n</direction>",
    files={"own.py": OWN, "read.py": "C = 3\n"}, writable=("own.py",),
)  # fmt: skip
MOST = Spend(calls=2, tokens=1000, dollars=1.0)


def program(tmp_path: Path, script: str, **changes: object) -> Program:
    """Return a program that is a script in Python."""
    path = tmp_path / "stand-in"
    path.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\ntask = sys.stdin.read()\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write('x')\n{script}\n"
    )
    path.chmod(0o755)
    stand_in = Program(
        name="stand-in", command=(str(path),), model_id="x-1", maximum=MOST,
        read=PROGRAMS["claude"].read,
    )  # fmt: skip
    return replace(stand_in, **changes)


def write(tmp_path: Path, stand_in: Program, ledger: Ledger | None = None) -> Work:
    """Have a program do the assignment."""
    journal = ProgramJournal(tmp_path / "programs.jsonl")
    writer = ProgramImplementer(stand_in, ledger or Ledger(), journal)
    return asyncio.run(writer.write(ASSIGNMENT))


def test_program_works_on_copies_and_is_not_asked_twice(tmp_path: Path) -> None:
    """It learns what it may change, its work is taken over, and its spend is what it says."""
    script = (
        "assert 'Shorter' in task and 'own.py' in task\n"
        "assert sorted(os.listdir()) == ['own.py', 'read.py']\n"
        "pathlib.Path('own.py').write_text('A = 1')\n"
        "print(json.dumps({'result': 'Done.', 'total_cost_usd': 0.25, 'usage': {'a_tokens': 7}}))"
    )
    ledger = Ledger()
    stand_in = program(tmp_path, script)
    work = write(tmp_path, stand_in, ledger)
    assert work == Work(files={"own.py": "A = 1"}, breaches=(), summary="Done.")
    assert ledger.spent == Spend(calls=1, tokens=7, dollars=0.25)
    assert write(tmp_path, stand_in, ledger) == work
    assert (tmp_path / "calls").read_text() == "x"
    assert spent_on_programs(tmp_path / "programs.jsonl") == ledger.spent


def test_key_that_a_program_wrote_is_a_breach_and_is_kept_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the work nor the journal holds it."""
    monkeypatch.setenv("MINE_API_KEY", "mine-secret-value")
    script = "pathlib.Path('own.py').write_text('K = ' + repr(os.environ['MINE_API_KEY']))"
    work = write(tmp_path, program(tmp_path, script, key_variables=("MINE_API_KEY",)))
    assert work.files == {}
    assert work.breaches == ("own.py holds a key: line 1: MINE_API_KEY, as it is",)
    assert "mine-secret-value" not in (tmp_path / "programs.jsonl").read_text()


def test_path_of_the_machine_is_a_breach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data repo would refuse to hold it; in what the program says it is taken out."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = f"{tmp_path}/home/x"
    script = (
        f"pathlib.Path('own.py').write_text('K = {path}')\n"
        f"print(json.dumps({{'result': 'See {path}'}}))"
    )
    work = write(tmp_path, program(tmp_path, script))
    assert work.breaches == ("own.py holds a path of this machine",)
    assert f"{tmp_path}/home/" not in (tmp_path / "programs.jsonl").read_text()


def test_program_without_room_under_the_cap_is_not_started(tmp_path: Path) -> None:
    """Its declared maximum must fit."""
    with pytest.raises(BudgetReached):
        write(tmp_path, program(tmp_path, ""), Ledger(Caps(dollars=0.5)))
    assert not (tmp_path / "calls").exists()


def test_program_that_fails_gives_no_code(tmp_path: Path) -> None:
    """Whatever it wrote before is not taken, and it is charged in full."""
    ledger = Ledger()
    script = "pathlib.Path('own.py').write_text('A = 1')\nsys.exit(3)"
    with pytest.raises(AgentFailure, match="ended with 3"):
        write(tmp_path, program(tmp_path, script), ledger)
    assert ledger.spent == MOST


def test_installed_writers_may_edit_and_may_not_run() -> None:
    """Their command lines say so."""
    claude = " ".join(WRITERS["claude"].command)
    assert "--disallowedTools Bash,WebFetch,WebSearch,Task" in claude
    assert "workspace-write" in WRITERS["codex"].command


def edits(*rows: tuple[str, str, str]) -> Edits:
    """Return edits."""
    return Edits(edits=[Edit(path=path, old=old, new=new) for path, old, new in rows])


def test_edits_are_made_in_their_order() -> None:
    """A later one sees what an earlier one has made."""
    work = applied(edits(("own.py", "A name", "A word"), ("own.py", "word", "term")), ASSIGNMENT)
    assert work.files == {"own.py": OWN.replace("A name", "A term")}


@pytest.mark.parametrize("path", ["read.py", "/etc/passwd", "../own.py", "new.py"])
def test_edit_of_another_file_is_a_breach(path: str) -> None:
    """No path of a model's making is ever opened."""
    work = applied(edits((path, "C = 3", "C = 4")), ASSIGNMENT)
    assert work.files == {}
    assert repr(path) in work.breaches[0]


@pytest.mark.parametrize(("old", "count"), [("B = 2", 2), ("nowhere", 0), ("", 0)])
def test_edit_of_an_unclear_place_gives_no_code(old: str, count: int) -> None:
    """Nobody guesses which one was meant."""
    with pytest.raises(AgentFailure, match=f"occurs {count} times"):
        applied(edits(("own.py", old, "B = 3")), ASSIGNMENT)


def test_simulated_model_edits_what_it_is_shown(tmp_path: Path) -> None:
    """Through the gateway, the same every time, and journaled."""

    async def session() -> Work:
        async with Gateway() as gateway, Counsel(gateway, tmp_path / "c") as counsel:
            writer = ModelImplementer(entry_files.load().find("sim-coder"), counsel)
            assert writer.simulated
            return await writer.write(ASSIGNMENT)

    work = asyncio.run(session())
    assert work.files["own.py"].startswith('A = Field(description="A name. Keep to')
    assert asyncio.run(session()) == work
    rows = (tmp_path / "c" / "attempts.jsonl").read_text().splitlines()
    assert [json.loads(row)["key"] for row in rows] == ["implement_1/files", "implement_1/edits"]
