"""Makes the first calls before cells are forked, so that no cell has to load what these load.

`warm_door` calls the gateway's door. `warm_sdks` calls each SDK that the host has imported: SDKs
put off much of their loading until they are used (OpenAI's takes 0.4 s for its first call).
Forked processes with fixed answers take the place of gateway and servers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from model_gateway import door
from model_gateway.call import Call
from model_gateway.errors import DoorError
from model_gateway.line_connection import PASSED

_ENDED = dict.fromkeys(("failure", "finish_reason", "input_tokens", "output_tokens"))
_DOOR_LINES = (
    {"text": "{}", "cut_off": False, "last": True},
    {"ended": {"text": "", "model": "", **_ENDED}},
)
_SECONDS = 5.0
_MESSAGES: Any = [{"role": "user", "content": "-"}]


class _Anything(BaseModel):
    found: list[str] = []


def warm_door() -> None:
    """Make a call through the door."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, _served_by(lambda: _answer_door(theirs)), suppress(DoorError):
        address = Path(f"{PASSED}:{ours.fileno()}:-")
        door.Door(address)(Call(key="", system="", user="", schema=_Anything))


def _answer_door(channel: socket.socket) -> None:
    _, [descriptor], _, _ = socket.recv_fds(channel, 1, 1)
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as lines:
        for line in _DOOR_LINES:
            lines.readline()
            connection.sendall(json.dumps(line).encode() + b"\n")


@contextmanager
def _served_by(serve: Callable[[], None]) -> Iterator[None]:
    """Run `serve` in a forked process as long as the block lasts."""
    pid = os.fork()
    if pid == 0:
        try:
            serve()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def warm_sdks() -> None:
    """Make a call with each SDK that was imported; a failing one is left to the cells."""
    for name, (call, reply) in _CALLS.items():
        if name in sys.modules:
            # Where the sandbox lets nobody listen, the cells load what is left.
            with suppress(Exception), _answering(reply) as url:
                call(sys.modules[name], url)


def _openai(sdk: Any, url: str) -> None:
    with sdk.OpenAI(base_url=url, api_key="-", max_retries=0, timeout=_SECONDS) as client:
        client.chat.completions.create(model="-", messages=_MESSAGES)


def _anthropic(sdk: Any, url: str) -> None:
    with sdk.Anthropic(base_url=url, api_key="-", max_retries=0, timeout=_SECONDS) as client:
        client.messages.create(model="-", messages=_MESSAGES, max_tokens=1)


def _ollama(sdk: Any, url: str) -> None:
    sdk.Client(url, timeout=_SECONDS).chat(model="-", messages=_MESSAGES)


_MESSAGE = {"role": "assistant", "content": "-"}
_CALLS: Mapping[str, tuple[Callable[[Any, str], None], Mapping[str, Any]]] = {
    "openai": (
        _openai,
        {
            "id": "-", "object": "chat.completion", "created": 0, "model": "-",
            "choices": [{"index": 0, "finish_reason": "stop", "message": _MESSAGE}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        },
    ),
    "anthropic": (
        _anthropic,
        {
            "id": "-", "type": "message", "role": "assistant", "model": "-",
            "content": [{"type": "text", "text": "-"}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
        },
    ),
    "ollama": (
        _ollama,
        {"model": "-", "created_at": "2025-01-01T00:00:00Z", "message": _MESSAGE, "done": True},
    ),
}  # fmt: skip


@contextmanager
def _answering(reply: Mapping[str, Any]) -> Iterator[str]:
    """Give the URL of a server that answers one request with `reply`."""
    body = json.dumps(reply).encode()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        _served_by(lambda: _answer(listener, body)),
    ):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _answer(listener: socket.socket, body: bytes) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as request:
        length = 0
        while (line := request.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        request.read(length)
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n".encode() + body)
