"""A model server as small as can be, which misbehaves as its arguments and questions say.

Each one that was started adds its process id to the file `pids` of the folder `--traces`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until it is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--says", default="")
    parser.add_argument("--dialect", default="json_schema")
    parser.add_argument("--exit", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--takes-mb", type=int, default=0)
    options = parser.parse_args()
    with (options.traces / "pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    (options.traces / "environment.json").write_text(json.dumps(dict(os.environ)))
    print(options.says, flush=True)
    if options.exit:
        sys.exit(7)
    taken = b"x" * (options.takes_mb << 20)
    if options.deaf:
        time.sleep(600)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), handler(options.dialect))
    server.serve_forever()
    print(len(taken))


def handler(dialect: str) -> type[BaseHTTPRequestHandler]:
    """Return what answers: a reply in the words of the schema if it is asked in `dialect`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {"data": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = body["messages"][-1]["content"]
            if "die" in text:
                print("I was told to die", flush=True)
                os._exit(3)
            asked_for = body.get("response_format", {"type": "none"})
            if asked_for["type"] == "json_schema" and dialect == "json_object":
                self._send(500, {"error": {"message": "json_schema is not known here"}})
                return
            is_held = asked_for["type"] == dialect and dialect != "none"
            self._send(200, completion('{"held": "yes"}' if is_held else "Trees are green."))

        def _send(self, status: int, value: dict[str, Any]) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def completion(text: str) -> dict[str, Any]:
    """Return a reply in OpenAI's format."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
    return {"id": "1", "object": "chat.completion", "model": "fake", "choices": [choice],
            "usage": usage}  # fmt: skip


if __name__ == "__main__":
    main()
