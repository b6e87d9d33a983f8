"""What stops a long command becomes a line and an exit code."""

from __future__ import annotations

import pytest

from prompt_lab.errors import LabError
from self_improve.errors import BudgetReached, UsageError
from self_improve.exits import ended


def raising(error: BaseException) -> int:
    """Raise it, as a command does."""
    raise error


def test_command_that_ends_by_itself_keeps_its_code() -> None:
    """Whatever that is."""
    assert ended(lambda: 4) == 4


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("no such step"), 2, "error: no such step\n"),
        (LabError("no data repo"), 2, "error: no data repo\n"),
        (BudgetReached("the cap on calls"), 3, "Stopped: the cap on calls. The same command with"),
        (KeyboardInterrupt(), 130, "Interrupted. The same command goes on"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError("x")]), 130, "Interrupted."),
        (ExceptionGroup("", [ExceptionGroup("", [UsageError("inner")])]), 2, "error: inner\n"),
        (ExceptionGroup("", [BudgetReached("calls")]), 3, "Stopped: calls."),
    ],
)
def test_what_stopped_it_is_told(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, also from within a group of tasks."""
    assert ended(lambda: raising(error)) == code
    said = capsys.readouterr().err
    assert said.startswith(told)
    assert said.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("a bug"), ExceptionGroup("", [KeyError("a bug")])])
def test_bug_is_no_message(error: Exception) -> None:
    """It is raised as it came, with its trace."""
    with pytest.raises(type(error)) as raised:
        ended(lambda: raising(error))
    assert raised.value is error
