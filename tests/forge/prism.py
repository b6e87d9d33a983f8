"""What stands before the server in `make test-forge`: prism, which knows GitHub's interface.

    client → tap → prism proxy → server

What git itself sends passes prism by, which would take its packs for text.

Prism checks each request against GitHub's own description and says what is wrong in a header of
the answer, which the tap reads. The description is cut down to the paths in use: the whole of it
takes prism minutes.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

HERE = Path(__file__).parent
DESCRIPTION = HERE / "node_modules/@octokit/openapi/generated/api.github.com.json"
PROGRAM = HERE / "node_modules/.bin/prism"
PATHS = {
    "/user": {"get"},
    "/repos/{owner}/{repo}/pulls": {"get", "post"},
    "/repos/{owner}/{repo}/pulls/{pull_number}": {"get", "patch"},
    "/repos/{owner}/{repo}/pulls/{pull_number}/merge": {"put"},
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": {"get", "post"},
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": {"patch"},
    "/repos/{owner}/{repo}/issues/{issue_number}/labels": {"post"},
    "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}": {"delete"},
    "/repos/{owner}/{repo}/statuses/{sha}": {"post"},
    "/repos/{owner}/{repo}/commits/{ref}/statuses": {"get"},
}
_DROPPED = {"host", "connection", "transfer-encoding", "content-length", "content-encoding"}


@dataclass(frozen=True)
class Violation:
    """What prism found wrong with a request."""

    request: str
    place: str
    code: str
    message: str


@dataclass
class Seen:
    """What went through, and which requests broke GitHub's description.

    `excused` are bare arrays of labels. The description allows `{"labels": [...]}`, an array of
    names and an array of objects, one of them; prism takes an array of names for several.
    """

    requests: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    excused: list[Violation] = field(default_factory=list)

    def note(self, method: str, path: str, header: str | None, body: bytes) -> None:
        """Read the violations of one request."""
        template = next((one for one in PATHS if _pattern(one).fullmatch(path)), path)
        called = f"{method} {template}"
        self.requests[called] += 1
        cut = (header or "").startswith("Too many violations!")
        rows = [{"location": ["request"], "code": "many"}] if cut else json.loads(header or "[]")
        if method.lower() not in PATHS.get(template, ()):
            rows.append({"location": ["request"], "code": "undescribed", "message": path})
        for row in rows:
            place = ".".join(map(str, row["location"]))
            if not place.startswith("request"):
                continue
            violation = Violation(called, place, str(row.get("code")), str(row.get("message")))
            (self.excused if _is_label_list(violation, body) else self.violations).append(violation)

    def summary(self) -> str:
        """Return the sum of it, for people."""
        described = sum(map(len, PATHS.values()))
        return (
            f"prism checked {self.requests.total()} requests to {len(self.requests)} of "
            f"{described} operations: {len(self.violations)} violations, and {len(self.excused)} "
            "lists of labels that it takes for several things at once"
        )


SEEN = pytest.StashKey[Seen]()


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


def _is_label_list(violation: Violation, body: bytes) -> bool:
    """Whether this is a plain list of names for labels, which GitHub's text allows."""
    if not (violation.request.startswith("POST ") and violation.request.endswith("/labels")):
        return False
    value = json.loads(body or b"null")
    is_names = isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    return is_names and violation.place == "request.body"


def trimmed() -> dict[str, Any]:
    """Return GitHub's description of the paths in use, with all that they refer to."""
    whole = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    document: dict[str, Any] = {"openapi": whole["openapi"], "info": whole["info"], "paths": {}}
    for path, methods in PATHS.items():
        described = whole["paths"][path]
        assert methods <= set(described), f"GitHub describes not all of {methods} at {path}"
        # Without what answers look like: our server says only what the client reads.
        document["paths"][path] = {
            method: described[method]
            | {"responses": {code: {"description": ""} for code in described[method]["responses"]}}
            for method in methods
        }
        if "parameters" in described:
            document["paths"][path]["parameters"] = described["parameters"]
    components: dict[str, Any] = {}
    rest: list[Any] = [document["paths"]]
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest.extend(node)
        elif isinstance(node, dict):
            rest.extend(node.values())
            reference = node.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/components/"):
                _, _, kind, name = reference.split("/")
                if name not in components.setdefault(kind, {}):
                    components[kind][name] = whole["components"][kind][name]
                    rest.append(components[kind][name])
    return document | {"components": components}


@contextmanager
def checked(upstream: str, folder: Path, seen: Seen) -> Iterator[str]:
    """Run prism and the tap before `upstream`; yield the tap's address."""
    description = folder / "github.json"
    description.write_text(json.dumps(trimmed()), encoding="utf-8")
    port = _free_port()
    log = (folder / "prism.log").open("wb")
    process = subprocess.Popen(
        [str(PROGRAM), "proxy", str(description), upstream, "--port", str(port), "--host",
         "127.0.0.1", "--verboseLevel", "error"],
        stdout=log, stderr=log, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, process, folder / "prism.log")
        with _tapped(f"http://127.0.0.1:{port}", upstream, seen) as address:
            yield address
    finally:
        process.terminate()
        process.wait(10)
        log.close()


@contextmanager
def _tapped(prism: str, server: str, seen: Seen) -> Iterator[str]:
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), []
    end = asyncio.Event()

    async def run() -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:

            async def passed_on(request: web.Request) -> web.Response:
                body = await request.read()
                git = ".git/" in request.path
                headers = {k: v for k, v in request.headers.items() if k.lower() not in _DROPPED}
                async with session.request(
                    request.method,
                    (server if git else prism) + str(request.rel_url),
                    data=body or None,
                    headers=headers,
                    allow_redirects=False,
                ) as answer:
                    header = answer.headers.get("sl-violations")
                    if not git:
                        seen.note(request.method, request.path, header, body)
                    back = {k: v for k, v in answer.headers.items() if k.lower() not in _DROPPED}
                    return web.Response(
                        status=answer.status, body=await answer.read(), headers=back
                    )

            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{path:.*}", passed_on)
            runner = web.AppRunner(app, shutdown_timeout=0.2)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            ports.append(runner.addresses[0][1])
            ready.set()
            await end.wait()
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(60)
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"prism ended: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"prism does not answer: {log.read_text()}")
