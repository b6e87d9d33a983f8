"""One connection of a cell's door, as the gateway reads and writes it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from model_gateway.attempts import CallOutcome, OfferedReply, ParseResult
from model_gateway.call import Failure
from model_gateway.line_connection import to_line
from model_gateway.replies import Mend


class CellLine:
    """The lines of one connection: the question and parse results in, replies and the end out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            EOFError: the cell closed the connection.
        """
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        message: dict[str, Any] = json.loads(line)
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._writer.write(to_line(message))
        await self._writer.drain()

    async def gone(self) -> None:
        """Queue the messages of the cell, and return when it closes the connection."""
        with contextlib.suppress(EOFError, ConnectionError, ValueError):
            while True:
                self._received.put_nowait(await self.receive())

    async def parse(self, reply: OfferedReply) -> ParseResult:
        """Have the cell parse `reply`."""
        await self.send({"text": reply.text, "cut_off": reply.cut_off, "last": reply.last})
        message = await self._received.get()
        failure = message["failure"]
        if failure is not None:
            failure = Failure.from_row(failure)
        # The cell may run a stranger's code, so only our own words are taken.
        mended = tuple(mend for mend in Mend if mend in message.get("mended", ()))
        return ParseResult(partial=bool(message["partial"]), failure=failure, mended=mended)


def end_of(outcome: CallOutcome | Failure) -> dict[str, Any]:
    """Return the last message of a connection: how the call ended."""
    attempt = None if isinstance(outcome, Failure) else outcome.attempt
    failure = outcome if isinstance(outcome, Failure) else outcome.failure
    return {
        "text": attempt.text if attempt else "",
        "model": attempt.model if attempt else "",
        "failure": failure and failure.to_row(),
        "finish_reason": attempt.finish_reason if attempt else None,
        "input_tokens": attempt.input_tokens if attempt else None,
        "output_tokens": attempt.output_tokens if attempt else None,
    }
