"""Changes finished runs in every file, and checks that none stays evidence with another verdict."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_gateway import temporary
from model_gateway.attempt import Attempt, digest_of
from model_gateway.call import Source
from prompt_lab import record
from prompt_lab.errors import LabError
from prompt_lab.integrity import SPECIFIED
from prompt_lab.layout import Layout
from prompt_lab.record import DONE, Evidence
from rubrics.rubric import MetricUse, Rubric
from rubrics.rubric import Source as ArtifactSource
from self_improve.comparison import comparison
from self_improve.errors import ImproveError
from self_improve.measures.measurer import Measurer
from self_improve.verdict.noise import assumed
from tools.hostile.row import Row

STEP, CLEAN, RAW = "sort_things", "002-2-things.json", "002-1-things_raw.json"
PLANS = ("boat", "moor", "radio", "silo", "tram", "yard")
MODELS = ("llama", "qwen")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 99\n"
RUBRIC = Rubric(
    step=STEP, version=1, why="to attack", clean=ArtifactSource(artifact=CLEAN),
    name_field="name", minimal_effect=0.4,
    metrics=(MetricUse(metric="duplicate_names", fields=("name",), weight=1, scale=0.1),),
)  # fmt: skip

Change = Callable[[Path, random.Random], None]


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Make every change `size` times to every file of a finished run; yield a row for each kind."""
    chance = random.Random(seed)
    with temporary.opened("hostile") as folder:
        lab = Layout(Path(folder) / "lab")
        sides = [[_run(lab, side, model) for model in MODELS] for side in range(2)]
        truth = _result(sides)
        if not isinstance(truth, dict) or truth["evidence"] != Evidence.real:
            raise AssertionError(f"The runs to be attacked do not count as evidence: {truth}")
        for kind, change in {**CHANGES, **WHOLE_RUNS}.items():
            if not re.search(only, kind):
                continue
            targets = [sides[1][0]] if kind in WHOLE_RUNS else _files(sides[1][0])
            runs, violations = 0, []
            for target in targets:
                for _ in range(size):
                    runs += 1
                    trouble = _trouble(sides, target, change, chance, truth)
                    if trouble is not None:
                        violations.append(f"{target.name}: {trouble}")
            yield Row(kind=kind, runs=runs, violations=tuple(violations))


def _trouble(
    sides: Sequence[Sequence[Path]], target: Path, change: Change, chance: random.Random,
    truth: Mapping[str, Any],
) -> str | None:  # fmt: skip
    """Make a change, compare, and undo it; return how it bent the evidence unnoticed, or None."""
    victim = sides[1][0]
    aside = victim.with_name(f"{victim.name}.aside")
    shutil.copytree(victim, aside)
    try:
        change(target, chance)
        result = _result(sides)
    finally:
        shutil.rmtree(victim, ignore_errors=True)
        aside.rename(victim)
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {result}"
    if result is not None and result["evidence"] == Evidence.real and result != truth:
        return f"it stayed evidence, with another result: {result}"
    return None


def _result(sides: Sequence[Sequence[Path]]) -> dict[str, Any] | Exception | None:
    """Return what a comparison says, None if it is refused, or what it crashed with."""
    before, after = sides
    try:
        row = comparison.compare(
            before, after, RUBRIC, Measurer(RUBRIC), noise=assumed(RUBRIC), shown=0
        ).to_row()
    except (ImproveError, LabError):
        return None
    except Exception as error:  # noqa: BLE001 - a crash is what is looked for
        return error
    return {key: row[key] for key in ("word", "evidence", "composite", "losses")}


def _run(lab: Layout, side: int, model: str) -> Path:
    """Write a finished run of today's form; on the second side fewer names repeat."""
    texts = {"sort:PROMPT": "Sort the things by the place where they were found."}
    if side:
        texts["sort:PROMPT"] += " Name each thing once."
    candidate = texts if side else {}
    identity: dict[str, Any] = {
        "step": STEP, "host": "h", "code": "c",
        "candidate": digest_of(candidate), "models": [{"name": model}], "speed": "all", "seed": 1,
        "repeats": 1, "inputs": {plan: {"plan.txt": digest_of(plan)} for plan in PLANS},
    }  # fmt: skip
    meta = {
        **identity, "code": {"commit": "c0", "dirty": False, "digest": "c"},
        "candidate": {"digest": identity["candidate"], "surfaces": sorted(candidate)},
        "model": {"primary": model, "name": model, "provider": "openai", "arguments": {}},
        "surfaces": {s: _digest(text) for s, text in texts.items()}, "workers": 1,
    }  # fmt: skip
    writer = record.begin(lab, STEP, digest_of({key: identity[key] for key in SPECIFIED}), meta)
    attempts = []
    for turn, plan in enumerate(PLANS):
        repeated = 1 + turn % 2 if side else 4 + turn % 2
        things = [{"name": f"{plan} {model} {n}"} for n in range(9 - repeated)]
        things += [{"name": f"{plan} {model}"}] * repeated
        folder = lab.scratch / plan
        folder.mkdir(parents=True)
        digests = {}
        for name, value in ((RAW, {"responses": [{"things": things}]}), (CLEAN, things)):
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
            digests[name] = record.file_digest(folder / name)
        writer.event("run_single_plan_start", plan_name=plan)
        row = {
            "name": plan, "status": "ok", "duration_seconds": 1.0 + side + turn / 10, "error": None,
            "calls": 1, "attempts": 1, "sources": ["network"], "repeat": 0, "failure_kind": None,
            "outputs": digests,
        }  # fmt: skip
        writer.keep((plan, 0), folder, row)
        attempts.append(_attempt(plan, model, texts["sort:PROMPT"], things, side))
    lines = "".join(json.dumps(attempt.to_row()) + "\n" for attempt in attempts)
    (writer.run.path / record.ATTEMPTS).write_text(lines, encoding="utf-8")
    listed = [
        {"id": s, "kind": "constant", "text": text, "digest": _digest(text), "sent": True,
         "candidate": bool(side)}
        for s, text in texts.items()
    ]  # fmt: skip
    writer.write_json(record.SURFACES, {"surfaces": listed})
    writer.event("finished")
    writer.finish(
        {"stopped": None, "cells": {"ok": len(PLANS), "failed": 0, "not_run": []},
         "evidence": {"kind": "real", "reasons": []}}
    )  # fmt: skip
    writer.close()
    return writer.run.path


def _attempt(plan: str, model: str, prompt: str, things: Sequence[Any], side: int) -> Attempt:
    return Attempt(
        cell=plan, key="sort", repeat=0, number=1, model=model, model_id=model, provider="openai",
        messages=[{"role": "system", "content": prompt}, {"role": "user", "content": plan}],
        schema={"type": "object"}, arguments={}, max_output_tokens=100,
        text=json.dumps({"things": things}), finish_reason="stop", input_tokens=10,
        output_tokens=10, thinking_tokens=0, cost=0.1, started=f"{side} {plan}", seconds=1.0,
        status="ok", failure_kind=None, failure_message=None, source=Source.network,
        reported_model=f"{model}-2026",
    )  # fmt: skip


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _files(run: Path) -> list[Path]:
    """Return the files of a run; of the outputs, which are all alike, those of two plans."""
    alike = [run / "outputs" / plan for plan in PLANS[2:]]
    return sorted(
        path
        for path in run.rglob("*")
        if path.is_file() and not any(path.is_relative_to(one) for one in alike)
    )


def _cut(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(max(1, len(data)))])


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
    path.write_bytes(bytes(data))


def _drop_line(path: Path, chance: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[chance.randrange(max(1, len(lines)))]
    path.write_bytes(b"".join(lines))


def _tear_line(path: Path, chance: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    index = chance.randrange(len(lines))
    lines[index] = lines[index][: len(lines[index]) // 2] + b"\n"
    path.write_bytes(b"".join(lines))


def _rename_things(path: Path, _: random.Random) -> None:
    """Make the outputs better, or whatever else the file holds different."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("llama", "llama x", 1), encoding="utf-8")


def _replaced_by(content: str) -> Change:
    def change(path: Path, _: random.Random) -> None:
        path.write_text(content, encoding="utf-8")

    return change


def _as_link(path: Path, _: random.Random) -> None:
    """Put a link to another file of the run in its place."""
    other = next(p for p in _files(path.parents[0]) if p != path) if path.parent else path
    path.unlink()
    path.symlink_to(other)


def _added(path: Path, _: random.Random) -> None:
    (path.parent / "001-1-things.json").write_text("[]", encoding="utf-8")
    path.write_bytes(path.read_bytes() + b" ")


def _with_digest(path: Path, chance: random.Random) -> None:
    """Change a file, and its digest in `done.json` with it."""
    _rename_things(path, chance)
    run = next(p for p in path.parents if (p / DONE).is_file())
    done = json.loads((run / DONE).read_text(encoding="utf-8"))
    name = path.relative_to(run).as_posix()
    if name in done["digests"]:
        done["digests"][name] = record.file_digest(path)
        (run / DONE).write_text(json.dumps(done), encoding="utf-8")


def _edited_done(key: str, value: Any) -> Change:
    def change(run: Path, _: random.Random) -> None:
        done = json.loads((run / DONE).read_text(encoding="utf-8"))
        if value is None:
            done.pop(key, None)
        else:
            done[key] = value
        (run / DONE).write_text(json.dumps(done), encoding="utf-8")
        better = run / "outputs" / PLANS[0] / CLEAN
        better.write_text(json.dumps([{"name": f"n{n}"} for n in range(9)]), encoding="utf-8")

    return change


def _without(name: str) -> Change:
    def change(run: Path, _: random.Random) -> None:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def _as_older(run: Path, _: random.Random) -> None:
    """Take away what shows that a record is of today's form, and make its outputs better."""
    meta = json.loads((run / record.META).read_text(encoding="utf-8"))
    del meta["schema_version"]
    (run / record.META).write_text(json.dumps(meta), encoding="utf-8")
    _edited_done("x", None)(run, random.Random(0))


CHANGES: dict[str, Change] = {
    "cut off": _cut,
    "a bit flipped": _flip,
    "emptied": _replaced_by(""),
    "a line dropped": _drop_line,
    "a line torn": _tear_line,
    "a name changed": _rename_things,
    "deleted": lambda path, _: path.unlink(),
    "a text": _replaced_by('"hello"'),
    "a list of numbers": _replaced_by("[1,2,3]"),
    "an empty object": _replaced_by("{}"),
    "a Git LFS pointer": _replaced_by(POINTER),
    "a link to another file": _as_link,
    "a file beside it": _added,
    "with its digest": _with_digest,
}
"""What is done to one file."""

WHOLE_RUNS: dict[str, Change] = {
    "no outputs": _without("outputs"),
    "one cell's outputs gone": _without(f"outputs/{PLANS[1]}"),
    "no done.json": _without(DONE),
    "no digests": _edited_done("digests", None),
    "empty digests": _edited_done("digests", {}),
    "no seal": _edited_done("seal", None),
    "called real": _edited_done("evidence", {"kind": "real", "reasons": []}),
    "as an older record": _as_older,
}
"""What is done to a run as a whole."""
