"""A server as the commands that use it see it: started if nobody keeps it, else shared."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from model_gateway.errors import GatewayError
from model_gateway.serving.folder import Phase, ServerFolder, ServerState
from model_gateway.serving.plan import ServingPlan

_KEEPER = (sys.executable, "-P", "-m", "model_gateway.serving.keeper")
_LOOK_SECONDS = 0.05
_SECONDS_TO_END = 30.0
_REST_SECONDS = 60.0
_SECONDS_OF_DOUBT = 2.0
_EARLIER = ".1"


class ServingError(GatewayError):
    """A server is not up; `ours` says that the entry or the machine is at fault, not the server."""

    def __init__(self, message: str, *, ours: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.ours = ours


def default_path() -> Path:
    """Return the path below which this user's servers have their folders."""
    return user_cache_path("plumbline") / "servers"


class SharedServer:
    """One server, which other commands of this user may have started, or may use.

    A server that failed is not started again within a minute, so that each call does not wait for
    it to fail.
    """

    def __init__(self, plan: ServingPlan, *, below: Path | None = None) -> None:
        self.plan = plan
        self.folder = ServerFolder((below or default_path()) / plan.key)
        self._starting = asyncio.Lock()
        self._awaited = ""
        self._refusal: ServingError | None = None
        self._refuses_until = 0.0
        self._doubted: ServerState | None = None
        self._doubted_until = 0.0

    async def ready(self) -> ServerState:
        """Return when the server answers, after starting it if nobody did.

        Raises:
            ServingError: it cannot be started, or ended twice; the message has the end of its log.
            OSError: its files cannot be written.
        """
        async with self._starting:
            if self._refusal is not None and time.monotonic() < self._refuses_until:
                raise self._refusal
            try:
                state = await self._wait()
            except ServingError as error:
                self._refusal, self._refuses_until = error, time.monotonic() + _REST_SECONDS
                raise
            self._refusal = None
            return state

    @contextmanager
    def in_use(self) -> Iterator[int]:
        """Keep it up during the block, and yield its port.

        Raises:
            ServingError: it is not up.
        """
        with self.folder.using() as is_usable:
            state = self.folder.state()
            if not is_usable or state is None or state.phase is not Phase.ready:
                raise ServingError(f"{self.plan.name}: its server is down")
            yield state.port

    def doubt(self) -> None:
        """Note that it may have ended just now, which its keeper sees in a moment."""
        self._doubted = self.folder.state()
        self._doubted_until = time.monotonic() + _SECONDS_OF_DOUBT

    async def _wait(self) -> ServerState:
        deadline = time.monotonic() + 2 * self.plan.ready_seconds + _SECONDS_TO_END
        while time.monotonic() < deadline:
            claimed = self.folder.is_claimed()
            state = self.folder.state()
            if state is not None and state.generation == self._awaited:
                if state.phase is Phase.failed:
                    raise self._failure(state.reason, ours=state.ours)
                if not claimed and state.phase is Phase.starting:
                    raise self._failure("the process that started it was killed", ours=False)
            doubted = state == self._doubted and time.monotonic() < self._doubted_until
            if claimed and state is not None and not doubted:
                if state.phase is Phase.ready:
                    self._awaited = state.generation
                    return state
                if state.phase is Phase.starting:
                    self._awaited = state.generation
            elif not claimed:
                await self._start()
            await asyncio.sleep(_LOOK_SECONDS)
        raise self._failure("it was not ready in time", ours=False)

    async def _start(self) -> None:
        """Start a keeper, unless another process does so at this moment."""
        claim = self.folder.claim()
        if claim is None:
            return
        try:
            generation = uuid.uuid4().hex
            if self.folder.log.exists():
                self.folder.log.replace(self.folder.log.with_name(self.folder.log.name + _EARLIER))
            self.folder.log.touch(mode=0o600)
            self.plan.write(self.folder.plan)
            self.folder.tell(ServerState(generation=generation, phase=Phase.starting))
            self._awaited = generation
            with self.folder.log.open("ab") as log:
                # Its own session: a Ctrl-C for this command does not end a server that others use.
                starter = await asyncio.create_subprocess_exec(
                    *_KEEPER, str(self.folder.path), generation, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True, pass_fds=(claim,),
                    env=self._keepers_environment(), cwd=self.folder.path,
                )  # fmt: skip
        finally:
            os.close(claim)
        await starter.wait()

    def _keepers_environment(self) -> dict[str, str]:
        """Return what lets the keeper import this package, and nothing else of ours."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parents[2]), *filter(None, sys.path)]
            ),
        }

    def _failure(self, reason: str, *, ours: bool) -> ServingError:
        return ServingError(f"{self.plan.name}: its server is not up: {reason}", ours=ours)
