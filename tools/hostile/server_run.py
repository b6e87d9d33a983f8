"""The command under attack: its folder, its models, what it has written, and where a key is."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.hostile.faults import Fault
from tools.hostile.wire import HostileServer

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-h0st/ile+\"quoted\\-&'<k>=9f8e7d6c5b4a"
KEY_VARIABLE = "HOSTILE_SERVER_KEY"
HONEST = "honest"
PLANS = ("boat", "moor")
SECONDS = 150.0
"""For one command: above all its deadlines, on a busy machine."""


@dataclass(kw_only=True)
class Folder:
    """A fresh directory with plans, entries and a place for history."""

    path: Path
    server: HostileServer
    wire_format: str
    faults: Sequence[Fault]
    outputs: list[str] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """Where history is written."""
        return self.path / "out"

    def prepare(self, **limits: Any) -> None:
        """Write the plans and the models' entries."""
        for name in PLANS:
            plan = self.path / "plans" / name
            plan.mkdir(parents=True)
            (plan / "001-2-plan.txt").write_text(f"Lend {name} tools on a canal.\n" * 3)
        (self.path / "llm_config").mkdir()
        sound = {"attempt_seconds": 60, "deadline_seconds": 100, "max_attempts": 1}
        self._entry(HONEST, **sound)
        for fault in self.faults:
            self._entry(fault.name, **limits)

    def _entry(self, name: str, **settings: Any) -> None:
        values = {
            "name": name, "provider": self.wire_format, "model_id": f"m/{name}",
            "base_url": self.server.url(self.wire_format), "key_env": KEY_VARIABLE, "workers": 2,
            "attempt_seconds": 8, "deadline_seconds": 12, "max_attempts": 2, **settings,
        }  # fmt: skip
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        text = "\n".join([*lines, "[price]", "input = 1.0", "output = 2.0"]) + "\n"
        (self.path / "llm_config" / f"{name}.toml").write_text(text)

    def run(self, *more: str) -> tuple[int | None, float]:
        """Run the command; return its exit code, None if it took too long, and its seconds."""
        names = ",".join([HONEST, *(fault.name for fault in self.faults)])
        words = [
            sys.executable, "-m", "self_improve.runner", "--step", "identify_purpose", "--models",
            names, "--baseline-dir", str(self.path / "plans"), "--output-dir", str(self.output),
            "--timeout", "60", "--workers", "16", "--json", *more,
        ]  # fmt: skip
        environment = {
            **os.environ, KEY_VARIABLE: KEY, "PLUMBLINE_LLM_CONFIG": str(self.path / "llm_config"),
            "TMPDIR": str(self.path),
        }  # fmt: skip
        began = time.monotonic()
        with (self.path / "said.txt").open("a+b") as said:
            start = said.tell()
            process = subprocess.Popen(
                words, cwd=ROOT, env=environment, stdout=said, stderr=said,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                code: int | None = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                code = None
                process.kill()
                process.wait()
            said.seek(start)
            self.outputs.append(said.read().decode("utf-8", "replace"))
        return code, time.monotonic() - began

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the rows of cells, each with its model."""
        for meta in sorted(self.output.glob("history/*/*/meta.json")):
            model = json.loads(meta.read_text())["model"]["name"]
            path = meta.parent / "outputs.jsonl"
            for line in path.read_text().splitlines() if path.exists() else ():
                yield model, json.loads(line)

    def good_calls(self) -> set[tuple[str, str]]:
        """Return the calls that ended well: the model and the cell of each."""
        calls = set()
        for path in self.output.glob("history/*/*/attempts.jsonl"):
            for line in path.read_bytes().splitlines():
                row = json.loads(line)
                if row["failure_kind"] is None:
                    calls.add((row["model_id"], row["cell"]))
        return calls


def leaks(folder: Folder) -> Iterator[str]:
    """Yield where the key is, looked for without the redactor."""
    forms = _forms(KEY)
    for path in sorted(p for p in folder.path.rglob("*") if p.is_file()):
        data = path.read_bytes()
        texts = [data.decode("utf-8", "replace")]
        if path.suffix in {".json", ".jsonl"}:
            texts += chain.from_iterable(_strings(line) for line in data.splitlines())
        shown = sorted({f for text in texts for f, written in forms.items() if written in text})
        if shown:
            yield f"the key is in {path.relative_to(folder.path)} ({', '.join(shown)})"


def _forms(key: str) -> dict[str, str]:
    whole = {
        "as it is": key, "JSON": json.dumps(key)[1:-1], "URL": quote(key, safe=""),
        "JSON twice": json.dumps(json.dumps(key))[3:-3],
        "numbers": "".join(f"\\u{ord(c):04x}" for c in key), "hexadecimal": key.encode().hex(),
    }  # fmt: skip
    # A part of base64 that any text with this key in it has, at one of three offsets.
    parts = {
        f"base64 {n}": base64.b64encode(b"\0" * n + key.encode()).decode()[8:36] for n in range(3)
    }
    return whole | parts


def _strings(line: bytes) -> list[str]:
    """Return the texts in a line of JSON, without their escapes."""
    texts: list[str] = []
    queue: list[Any] = []
    try:
        queue = [json.loads(line)]
    except (ValueError, RecursionError):
        return texts
    while queue:
        value = queue.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            queue += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            queue += value
    return texts
