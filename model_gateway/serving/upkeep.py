"""Keeps a server up for as long as a command runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from model_gateway.exits import OK
from model_gateway.serving.plan import HOST, ServingPlan
from model_gateway.serving.server import ServingError, SharedServer

_LOOK_SECONDS = 1.0


async def keep_up(plan: ServingPlan, say: Callable[[str], None]) -> int:
    """Start the server, or share it, and keep it up until this task is cancelled; return 0 then.

    It is ended then, unless others use it. If it ends by itself it is started again.

    Raises:
        ServingError: it cannot be kept up; the message has the end of its log.
    """
    server = SharedServer(plan)
    say(f"Starting the server of {plan.name}; its log is {server.folder.log} ...")
    try:
        while True:
            await server.ready()
            with suppress(ServingError):  # It went down again this moment.
                await _while_up(server, say)
    except asyncio.CancelledError:
        say(f"The server of {plan.name} ends, unless other commands use it.")
        return OK
    finally:
        server.folder.touch(0.0)


async def _while_up(server: SharedServer, say: Callable[[str], None]) -> None:
    with server.in_use() as port:
        say(f"{server.plan.name} answers at http://{HOST}:{port}. Ctrl-C ends it.")
        state = server.folder.state()
        while server.folder.state() == state and server.folder.is_claimed():  # noqa: ASYNC110 - of others
            await asyncio.sleep(_LOOK_SECONDS)
