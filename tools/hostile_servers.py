"""Runs the real runner against servers that misbehave, and counts what must never happen.

    python -m tools.hostile_servers [--long] [--format NAME] [--only FAULT] [--seed N]

Each command measures many models at once: one behaves soundly, every other one meets one fault.
The command is then repeated. A violation is a key anywhere in what was written, an exceeded cap, a
command that outlasts its time, another model's cells changed, a finished call repeated, a followed
redirect, or a traceback.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.hostile_faults import OVERBILLED, Fault, all_faults
from tools.hostile_wire import FORMATS, HostileServer

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-h0st/ile+\"quoted\\-&'<k>=9f8e7d6c5b4a"
KEY_VARIABLE = "HOSTILE_SERVER_KEY"
HONEST = "honest"
PLANS = ("boat", "moor")
TOGETHER = 24
SECONDS = 150.0
"""For one command: above all its deadlines, on a busy machine."""
_SHORT_PINGS = 4
_CAP_TOKENS = 60_000
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, kw_only=True)
class CampaignRow:
    """How often one kind of misbehaviour was tried, and what it broke."""

    kind: str
    runs: int
    violations: tuple[str, ...] = ()


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
            "attempt_seconds": 3, "deadline_seconds": 6, "max_attempts": 2, **settings,
        }  # fmt: skip
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        text = "\n".join([*lines, "[price]", "input = 1.0", "output = 2.0"]) + "\n"
        (self.path / "llm_config" / f"{name}.toml").write_text(text)

    def run(self, *more: str) -> tuple[int | None, float]:
        """Run the command; return its exit code, None if it took too long, and its seconds."""
        names = ",".join([HONEST, *(fault.name for fault in self.faults)])
        words = [
            sys.executable, "-m", "self_improve.runner", "--step", "identify_purpose", "--models",
            names, "--baseline-dir", self.path / "plans", "--output-dir", self.output, "--timeout",
            "60", "--workers", "16", "--json", *more,
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


def campaign(
    *, short: bool = True, seed: int = 1, formats: Sequence[str] = FORMATS, only: str = ""
) -> list[CampaignRow]:
    """Try every fault in every format, and return a row for each kind in each format.

    The long form also lets each fault meet the pings, one command a fault; the short one tries
    some of them.
    """
    faults = [fault for fault in all_faults() if only in {"", fault.name}]
    chance = random.Random(seed)
    tried: dict[str, int] = defaultdict(int)
    broken: dict[str, list[str]] = defaultdict(list)
    for wire_format in formats:
        shuffled = chance.sample(faults, len(faults))
        for first in range(0, len(shuffled), TOGETHER):
            batch = shuffled[first : first + TOGETHER]
            for fault in batch:
                tried[f"{wire_format}: {fault.kind}"] += 1
            for fault, problem in _together(wire_format, batch):
                broken[f"{wire_format}: {fault.kind}"].append(problem)
        pings = f"{wire_format}: ping"
        alone = shuffled[:_SHORT_PINGS] if short and not only else shuffled
        for fault in alone:
            tried[pings] += 1
            broken[pings] += _at_the_ping(wire_format, fault)
        caps = f"{wire_format}: cap"
        for fault in (one for one in faults if one.kind == "usage"):
            tried[caps] += 1
            broken[caps] += _under_a_cap(wire_format, fault)
    return [
        CampaignRow(kind=kind, runs=runs, violations=tuple(broken[kind]))
        for kind, runs in tried.items()
    ]


def _together(wire_format: str, faults: Sequence[Fault]) -> list[tuple[Fault, str]]:
    """Run a command in which each fault is one model's; return the violations."""
    with (
        tempfile.TemporaryDirectory(prefix="hostile-") as path,
        HostileServer(acts={fault.name: fault.act for fault in faults}, key=KEY) as server,
    ):
        folder = Folder(path=Path(path), server=server, wire_format=wire_format, faults=faults)
        folder.prepare()
        names = ", ".join(fault.name for fault in faults)
        problems = [(faults[0], f"{problem} [{names}]") for problem in _first_run(folder)]
        good = folder.good_calls()
        count = len(server.asked)
        code, _ = folder.run()
        if code is None:
            problems.append((faults[0], f"the repeated command hung [{names}]"))
        cells = {model for model, _ in good}
        repeated = {
            asked.model
            for asked in server.asked[count:]
            if asked.model in cells and not asked.is_ping and _is_complete(good, asked.model)
        }
        problems += [(_fault_of(faults, m), f"{m}: a finished call was repeated") for m in repeated]
        problems += [(faults[0], f"{problem} [{names}]") for problem in _leaks(folder)]
        if server.strayed:
            problems.append((faults[0], f"{server.strayed} redirected requests [{names}]"))
    return problems


def _is_complete(good: set[tuple[str, str]], model: str) -> bool:
    return {cell for name, cell in good if name == model} == set(PLANS)


def _first_run(folder: Folder) -> Iterator[str]:
    """Run the command for the first time and yield what went wrong as a whole."""
    code, seconds = folder.run()
    if code is None:
        yield f"hung for {SECONDS:g} s"
    elif code not in {0, 1}:
        yield f"exit code {code}: {folder.outputs[-1][-300:]!r}"
    if _TRACEBACK in folder.outputs[-1]:
        yield f"a traceback: {folder.outputs[-1][-600:]!r}"
    rows = list(folder.rows())
    honest = [row for model, row in rows if model == HONEST]
    if len(honest) != len(PLANS) or any(row["error"] is not None for row in honest):
        errors = [row["error"] for row in honest]
        yield f"the honest model's cells were changed: {errors} after {seconds:.0f} s"
    missing = {fault.name for fault in folder.faults} - {model for model, _ in rows}
    if code is not None and missing:
        yield f"no rows of {sorted(missing)}"
    calls = sum(a.model == f"m/{HONEST}" and not a.is_ping for a in folder.server.asked)
    if calls != len(PLANS):
        yield f"the honest server was asked {calls} times"


def _at_the_ping(wire_format: str, fault: Fault) -> Iterator[str]:
    """Let a fault meet the ping too; the command may refuse the model, in time and clean."""
    with (
        tempfile.TemporaryDirectory(prefix="hostile-") as path,
        HostileServer(acts={fault.name: fault.act}, key=KEY, pings_too=True) as server,
    ):
        folder = Folder(path=Path(path), server=server, wire_format=wire_format, faults=[fault])
        folder.prepare()
        code, _ = folder.run()
        if code not in {0, 1, 2}:
            yield f"{fault.name}: exit code {code}"
        if _TRACEBACK in folder.outputs[-1]:
            yield f"{fault.name}: a traceback: {folder.outputs[-1][-400:]!r}"
        yield from (f"{fault.name}: {problem}" for problem in _leaks(folder))


def _under_a_cap(wire_format: str, fault: Fault) -> Iterator[str]:
    """Let a server count as it likes under a cap on tokens, one call at a time."""
    with (
        tempfile.TemporaryDirectory(prefix="hostile-") as path,
        HostileServer(acts={fault.name: fault.act}, key=KEY) as server,
    ):
        folder = Folder(path=Path(path), server=server, wire_format=wire_format, faults=[fault])
        folder.prepare(workers=1)
        code, _ = folder.run("--max-tokens", str(_CAP_TOKENS), "--repeats", "8")
        said = folder.outputs[-1]
        if code not in {0, 1, 3} or _TRACEBACK in said:
            yield f"{fault.name}: exit code {code}: {said[-300:]!r}"
            return
        spent = json.loads(said[said.index('{"runs"') :].splitlines()[0])["spent"]["tokens"]
        calls = sum(a.model == f"m/{fault.name}" and not a.is_ping for a in server.asked)
        if fault.name == f"usage-{OVERBILLED}":
            if calls != 1 or f"{fault.name} was stopped" not in said:
                yield f"{fault.name}: {calls} calls to a server that overbills: {said[-300:]!r}"
        elif spent > _CAP_TOKENS:
            yield f"{fault.name}: {spent} tokens under a cap of {_CAP_TOKENS}"


def _leaks(folder: Folder) -> Iterator[str]:
    """Yield where the key is, looked for without the redactor."""
    forms = _forms(KEY)
    for path in sorted(p for p in folder.path.rglob("*") if p.is_file()):
        data = path.read_bytes()
        texts = [data.decode("utf-8", "replace")]
        if path.suffix in {".json", ".jsonl"}:
            texts += chain.from_iterable(_strings(line) for line in data.splitlines())
        shown = sorted({form for text in texts for form, written in forms.items() if written in text})
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
    found: list[str] = []
    queue: list[Any] = []
    try:
        queue = [json.loads(line)]
    except (ValueError, RecursionError):
        return found
    while queue:
        value = queue.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            queue += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            queue += value
    return found


def _fault_of(faults: Sequence[Fault], model: str) -> Fault:
    return next((f for f in faults if model == f"m/{f.name}"), faults[0])


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaign, print its rows, and return 1 if anything was broken."""
    parser = argparse.ArgumentParser(prog="python -m tools.hostile_servers", description=__doc__)
    parser.add_argument("--long", action="store_true", help="every fault meets the pings, too")
    parser.add_argument("--format", choices=FORMATS, help="only one wire format")
    parser.add_argument("--only", default="", metavar="FAULT", help="only one fault")
    parser.add_argument("--seed", type=int, default=1, help="seed of the order")
    options = parser.parse_args(words)
    formats = (options.format,) if options.format else FORMATS
    rows = campaign(short=not options.long, seed=options.seed, formats=formats, only=options.only)
    for row in rows:
        print(f"{row.kind:24} {row.runs:5} runs {len(row.violations):4} violations")
        for violation in row.violations:
            print(f"    {violation[:1500]}")
    return int(any(row.violations for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
