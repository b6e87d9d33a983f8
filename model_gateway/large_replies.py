"""Bounds on replies: their size, and how much work their JSON makes.

Parsing holds up every other call of the gateway. A reply whose JSON has very many parts is
therefore parsed in a process of its own, which hands back the same reply with its text alone.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from model_gateway import kernel
from model_gateway.keys import without_keys

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of a reply, as sent and after decompression."""
_MOST_PARTS = 200_000
_MOST_MEMORY = 2 * 1024**3
_MOST_SECONDS = 30
_PACKAGE = Path(__file__).parents[1]


class ReplyBoundError(Exception):
    """A reply is larger, or makes more work, than any reply of a model; the message says how."""


TOO_COMPLEX = ReplyBoundError(f"its JSON has more than {_MOST_PARTS} parts")


def is_complex(body: bytes) -> bool:
    """Whether the JSON in `body` has enough parts to make parsing it slow.

    Commas and brackets inside texts count too, which errs on the safe side.
    """
    return sum(map(body.count, (b",", b":", b"[", b"{"))) > _MOST_PARTS


async def simplified(body: bytes, wire_format: str | None) -> bytes:
    """Return `body`, or the same reply with its text alone where the JSON is complex.

    Raises:
        ReplyBoundError: it is complex, and not a reply of this wire format.
    """
    if not is_complex(body):
        return body
    if wire_format is None:
        raise TOO_COMPLEX
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "model_gateway.large_replies", wire_format,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env=_environment(), start_new_session=True,
        preexec_fn=kernel.die_with_parent,
    )  # fmt: skip
    try:
        result, _ = await process.communicate(body)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or len(result) > LARGEST_BODY:
        raise TOO_COMPLEX
    return result


def _environment() -> dict[str, str]:
    environment = without_keys(os.environ)
    paths = [str(_PACKAGE), environment.get("PYTHONPATH", "")]
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main(wire_format: str) -> None:
    """Read a reply from standard input and write it, with its text alone, to standard output."""
    # Imported here, because this module stands below the wire formats.
    from model_gateway import wire_bodies

    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    sys.stdout.buffer.write(wire_bodies.plain_body(wire_format, sys.stdin.buffer.read()))


if __name__ == "__main__":
    main(sys.argv[1])
