"""Ctrl-C, once or often, ends a command in order: what is under way is told to end, and tidied."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own until it ends or is told to.

    The first SIGINT or SIGTERM cancels it. Those that follow while it tidies up are passed over:
    they would only leave records half written and print what nobody has to read.

    Raises:
        KeyboardInterrupt: it was told to end.
    """
    try:
        return asyncio.run(_until_told(work))
    except asyncio.CancelledError as cancelled:
        raise KeyboardInterrupt from cancelled


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    told = False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for kind in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(kind, tell)
    return await task
