"""Ctrl-C ends what runs, in order, however often it is typed."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from self_improve import exits


async def _told_often(tidied: list[str]) -> None:
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)
    finally:
        for kind in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), kind)
            await asyncio.sleep(0.01)
        tidied.append("all")


def test_tidying_up_is_not_interrupted() -> None:
    """The first signal ends the work; those that follow let it finish what it tidies."""
    tidied: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        exits.run(_told_often(tidied))
    assert tidied == ["all"]


def test_result_is_returned() -> None:
    """Work that nobody interrupts gives what it gives."""

    async def work() -> int:
        return 7

    assert exits.run(work()) == 7


def test_ctrl_c_is_the_process_own_again() -> None:
    """Behind it a signal does what it did before."""

    async def work() -> None:
        return

    exits.run(work())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
