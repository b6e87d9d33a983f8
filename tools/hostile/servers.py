"""Runs the real runner against servers that misbehave, and counts what must never happen.

Each command measures many models at once: one behaves soundly, every other one meets one fault.
The command is then repeated. A violation is a key anywhere in what was written, an exceeded cap, a
command that outlasts its time, another model's cells changed, a finished call repeated, a followed
redirect, or a traceback.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_gateway import temporary
from tools.hostile.faults import Fault, all_faults
from tools.hostile.replies import OVERBILLED
from tools.hostile.row import Row
from tools.hostile.server_run import HONEST, KEY, PLANS, SECONDS, Folder, leaks
from tools.hostile.wire import FORMATS, HostileServer

TOGETHER = 24
_CAP_TOKENS = 60_000
_TRACEBACK = "Traceback (most recent call last)"


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Try every fault in every format; yield a row for each kind in each format.

    `size` faults a format meet the pings, too, and as many of those that count tokens meet a cap,
    each in a command of its own.
    """
    chance = random.Random(seed)
    for wire_format in FORMATS:
        faults = [
            fault for fault in all_faults() if re.search(only, f"{wire_format}: {fault.name}")
        ]
        runs, violations = Counter[str](), defaultdict[str, list[str]](list)
        shuffled = chance.sample(faults, len(faults))
        for first in range(0, len(shuffled), TOGETHER):
            batch = shuffled[first : first + TOGETHER]
            runs.update(fault.kind for fault in batch)
            for fault, problem in _together(wire_format, batch):
                violations[fault.kind].append(problem)
        usages = [fault for fault in shuffled if fault.kind == "usage"]
        for kind, alone, tried in (
            ("ping", _at_the_ping, shuffled[:size]), ("cap", _under_a_cap, usages[:size]),
        ):  # fmt: skip
            for fault in tried:
                runs[kind] += 1
                violations[kind] += alone(wire_format, fault)
        for kind, count in runs.items():
            sentences = tuple(violations[kind])
            yield Row(kind=f"{wire_format}: {kind}", runs=count, violations=sentences)


def _together(wire_format: str, faults: Sequence[Fault]) -> list[tuple[Fault, str]]:
    """Run a command in which each fault is one model's; return the violations."""
    with (
        temporary.opened("hostile") as path,
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
        problems += [(faults[0], f"{problem} [{names}]") for problem in leaks(folder)]
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
    if any(b"Unasked" in p.read_bytes() for p in folder.output.glob("history/*/*/outputs/*/*")):
        yield "a reply that nobody asked for was taken for another"
    missing = {fault.name for fault in folder.faults} - {model for model, _ in rows}
    if code is not None and missing:
        yield f"no rows of {sorted(missing)}"
    calls = sum(a.model == f"m/{HONEST}" and not a.is_ping for a in folder.server.asked)
    if calls != len(PLANS):
        yield f"the honest server was asked {calls} times"


def _at_the_ping(wire_format: str, fault: Fault) -> Iterator[str]:
    """Let a fault meet the ping too; the command may refuse the model, in time and clean."""
    with (
        temporary.opened("hostile") as path,
        HostileServer(acts={fault.name: fault.act}, key=KEY, pings_too=True) as server,
    ):
        folder = Folder(path=Path(path), server=server, wire_format=wire_format, faults=[fault])
        folder.prepare()
        code, _ = folder.run()
        if code not in {0, 1, 2}:
            yield f"{fault.name}: exit code {code}"
        if _TRACEBACK in folder.outputs[-1]:
            yield f"{fault.name}: a traceback: {folder.outputs[-1][-400:]!r}"
        yield from (f"{fault.name}: {problem}" for problem in leaks(folder))


def _under_a_cap(wire_format: str, fault: Fault) -> Iterator[str]:
    """Let a server count as it likes under a cap on tokens, one call at a time."""
    with (
        temporary.opened("hostile") as path,
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


def _fault_of(faults: Sequence[Fault], model: str) -> Fault:
    return next((f for f in faults if model == f"m/{f.name}"), faults[0])
