"""How commands end: the exit code and the lines for people, and what signals do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from model_gateway import exits
from model_gateway.errors import BudgetReached, ConfigError
from model_gateway.exits import exit_code
from prompt_lab.errors import LabError


def raising(error: BaseException) -> int:
    """Raise it, as a command does."""
    raise error


def test_command_that_ends_by_itself_keeps_its_code() -> None:
    """Whatever that is."""
    assert exit_code(lambda: 4) == 4


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("no such model"), 2, "error: no such model\n"),
        (LabError("no data repo"), 2, "error: no data repo\n"),
        (OSError("disk full"), 2, "error: disk full\n"),
        (BrokenPipeError("a program ended"), 2, "error: a program ended\n"),
        (BudgetReached("the cap on calls"), 3, "Stopped: the cap on calls. Run the same command"),
        (KeyboardInterrupt(), 130, "Interrupted. Run the same command again to resume"),
        (KeyboardInterrupt("Type x."), 130, "Interrupted. Type x.\n"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError("x")]), 130, "Interrupted."),
        (ExceptionGroup("", [ExceptionGroup("", [LabError("inner")])]), 2, "error: inner\n"),
        (ExceptionGroup("", [BudgetReached("calls")]), 3, "Stopped: calls."),
        (ExceptionGroup("", [BudgetReached("calls"), LabError("x")]), 2, "error: x\n"),
    ],
)
def test_message_says_what_stopped_it(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, also from within a group of tasks."""
    assert exit_code(lambda: raising(error)) == code
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1


def test_every_error_of_a_group_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each on a line of its own."""
    group = ExceptionGroup("", [LabError("one"), ExceptionGroup("", [ConfigError("two")])])
    assert exit_code(lambda: raising(group)) == exits.USAGE
    assert capsys.readouterr().err == "error: one\nerror: two\n"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        ExceptionGroup("", [KeyError("a bug")]),
        ExceptionGroup("", [LabError("x"), KeyError("a bug")]),
    ],
)
def test_bug_is_not_a_message(error: Exception) -> None:
    """It is raised unchanged, with its trace."""
    with pytest.raises(type(error)) as raised:
        exit_code(lambda: raising(error))
    assert raised.value is error


@pytest.mark.parametrize("length", [10, 1_000_000])
def test_closed_reader_is_not_an_error(length: int) -> None:
    """As `head` closes it: whether the output fills the buffer or not, the work's code is kept."""
    code = (
        "from model_gateway.exits import exit_code\n"
        f"raise SystemExit(exit_code(lambda: print('x' * {length}) or 1))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


async def interrupted_often(cleaned: list[str]) -> None:
    """Be interrupted, and again twice while cleaning up."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)
    finally:
        for kind in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), kind)
            await asyncio.sleep(0.01)
        cleaned.append("all")


def test_cleaning_up_is_not_interrupted() -> None:
    """The first signal ends the work; later ones let it finish what it cleans up."""
    cleaned: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        exits.run(interrupted_often(cleaned))
    assert cleaned == ["all"]


def test_result_is_returned() -> None:
    """Of work that is not interrupted."""

    async def work() -> int:
        return 7

    assert exits.run(work()) == 7


def test_signals_are_handed_back() -> None:
    """After the work a signal does what it did before."""

    async def work() -> None:
        return

    exits.run(work())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
