"""Small runs written to disk, of today's form and of older ones, and rubrics to measure them by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind, Source
from prompt_lab.integrity import specification_digest
from prompt_lab.record import DONE, META, file_digest, seal_of
from rubrics.rubric import MetricUse, Rubric
from rubrics.rubric import Source as Place
from self_improve.measures.catalogue import catalogue
from self_improve.measures.measured import MeasuredCell
from self_improve.measures.metric import Measurement
from self_improve.measures.subject import Item, Subject, material
from self_improve.measures.text_groups import Pool

STEP = "find_levers"
RAW, CLEAN = "002-9-levers_raw.json", "002-10-levers.json"
PLAN = "Ein Plan für eine Werkstatt am Kanal mit 12 Booten und 40 % Eigenanteil."
PROMPT = "Give levers. For example: the reef survey slips past the monsoon."


def rubric(*uses: MetricUse, **more: Any) -> Rubric:
    """Return a rubric for the runs of this module."""
    values: dict[str, Any] = {
        "step": STEP,
        "version": 1,
        "why": "to test with",
        "clean": Place(artifact=CLEAN),
        "replies": Place(artifact=RAW, replies="responses", items="levers"),
        "name_field": "name",
        "metrics": uses or (MetricUse(metric="duplicate_names", scale=0.1),),
    }
    return Rubric(**{**values, **more})


def use(metric: str, *fields: str, **more: Any) -> MetricUse:
    """Return a use of a metric."""
    return MetricUse(metric=metric, fields=fields, **{"scale": 0.1, **more})


def subject(
    items: Sequence[Any],
    *,
    source: str = PLAN,
    prompt: str = PROMPT,
    plan: str = "boat",
    replies: Sequence[Sequence[Any]] = (),
    facts: Mapping[str, float | None] | None = None,
    by: Rubric | None = None,
    snapshot: str = "",
) -> Subject:
    """Return the cleaned form of one cell; `replies` are the items of each of its replies."""
    shared: dict[str, Any] = {
        "plan": plan, "rubric": by or rubric(), "input": material(source),
        "prompt": material(prompt), "pool": Pool(), "facts": facts or {},
        "snapshot": material(snapshot),
    }  # fmt: skip
    in_replies = [Item(call=n, value=v) for n, reply in enumerate(replies, start=1) for v in reply]
    other = Subject(items=in_replies, calls=len(replies), **shared)
    cell_items = [Item(call=0, value=value) for value in items]
    return Subject(items=cell_items, calls=0, replies=other, **shared)


def measured(metric: str, one: Subject, *fields: str, **settings: Any) -> Measurement | None:
    """Return what a metric measures of one cell."""
    listed: Any = catalogue()[metric]
    result: Measurement | None = listed.measure(one, use(metric, *fields, parameters=settings))
    return result


def value(metric: str, one: Subject, *fields: str, **settings: Any) -> float | None:
    """Return the value of a metric for one cell, which is in the metric's range."""
    readings = measured(metric, one, *fields, **settings)
    if readings is None:
        return None
    low, high = catalogue()[metric].RANGE
    assert low <= readings.value <= high
    return readings.value


def marked(metric: str, one: Subject, *fields: str, **settings: Any) -> list[str]:
    """Return the stretches of text that a metric shows for one cell."""
    readings = measured(metric, one, *fields, **settings)
    assert readings is not None
    return [span.text[span.start : span.end] for span in readings.spans()]


def cell(plan: str = "boat", repeat: int = 0, **more: Any) -> MeasuredCell:
    """Return a measured cell that succeeded."""
    return MeasuredCell(plan=plan, model="m", repeat=repeat, **{"succeeded": True, **more})


def lever(name: str, **more: Any) -> dict[str, Any]:
    """Return an item with a name."""
    return {"name": name, "review": f"What {name} leaves open.", **more}


def older_run(
    path: Path,
    cells: Mapping[str, Sequence[Any] | bytes | None],
    *,
    rows: Sequence[Mapping[str, Any]] | None = None,
    model: str = "llama",
    workers: int = 1,
) -> Path:
    """Write a run of the older form: what each plan's cleaned artifact holds, None for none."""
    path.mkdir(parents=True)
    meta = {"step": STEP, "model": {"primary": model}, "workers": workers}
    (path / "meta.json").write_text(json.dumps(meta))
    listed = rows if rows is not None else [ok(plan) for plan in cells]
    (path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed))
    for plan, items in cells.items():
        folder = path / "outputs" / plan
        folder.mkdir(parents=True)
        if items is None:
            continue
        if isinstance(items, bytes):
            (folder / CLEAN).write_bytes(items)
            continue
        raw = {
            "responses": [{"levers": list(items)}],
            "metadata": {},
            "system_prompt": PROMPT,
            "user_prompt": PLAN,
        }
        (folder / RAW).write_text(json.dumps(raw, ensure_ascii=False), encoding="utf-8")
        clean = json.dumps(list(items), ensure_ascii=False)
        (folder / CLEAN).write_text(clean, encoding="utf-8")
    return path


def ok(plan: str, **more: Any) -> dict[str, Any]:
    """Return the row of a cell that succeeded."""
    return {"name": plan, "status": "ok", "duration_seconds": 6.0, "error": None, **more}


def failed(plan: str, error: str, **more: Any) -> dict[str, Any]:
    """Return the row of a cell that failed."""
    return {"name": plan, "status": "error", "duration_seconds": 1.0, "error": error, **more}


def run(
    path: Path,
    cells: Mapping[str, Sequence[Any]],
    attempts: Sequence[Attempt],
    *,
    evidence: Mapping[str, Any] | None = None,
    provider: str = "openai",
    surfaces: Sequence[Mapping[str, Any]] = (),
    rows: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run of today's form: cleaned items by plan, and the attempts."""
    path.mkdir(parents=True)
    meta = {
        "schema_version": 1, "step": STEP, "model": {"primary": "llama", "provider": provider},
    }  # fmt: skip
    (path / "meta.json").write_text(json.dumps(meta))
    listed = [ok(plan, calls=1, attempts=2, repeat=0, **(rows or {})) for plan in cells]
    (path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed))
    lines = [json.dumps(one.to_row(), ensure_ascii=False) for one in attempts]
    (path / "attempts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for plan, items in cells.items():
        folder = path / "outputs" / plan
        folder.mkdir(parents=True)
        (folder / CLEAN).write_text(json.dumps(list(items)), encoding="utf-8")
    if surfaces:
        (path / "surfaces.json").write_text(json.dumps({"surfaces": list(surfaces)}))
    if evidence is not None:
        (path / DONE).write_text(json.dumps({"evidence": dict(evidence)}))
        resealed(path)
    return path


def resealed(path: Path, **changes: Any) -> Path:
    """Write the last record of a run again, as if it had been finished as it is now."""
    meta = json.loads((path / META).read_text(encoding="utf-8")) | changes
    meta["specification"] = specification_digest(meta) or meta.get("specification")
    (path / META).write_text(json.dumps(meta), encoding="utf-8")
    done = json.loads((path / DONE).read_text(encoding="utf-8"))
    done["digests"] = {
        one.relative_to(path).as_posix(): file_digest(one)
        for one in sorted(path.rglob("*")) if one.is_file() and one.name != DONE
    }  # fmt: skip
    (path / DONE).write_text(json.dumps({**done, "seal": seal_of(done)}), encoding="utf-8")
    return path


def attempt(plan: str, key: str, text: str, **more: Any) -> Attempt:
    """Return an attempt that succeeded."""
    kind: FailureKind | None = more.pop("failure_kind", None)
    values: dict[str, Any] = {
        "cell": plan, "key": key, "repeat": 0, "number": 1, "model": "llama", "model_id": "llama",
        "provider": "openai",
        "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": PLAN}],
        "schema": {"type": "object"}, "arguments": {}, "max_output_tokens": 10, "text": text,
        "finish_reason": "stop", "input_tokens": 1, "output_tokens": 1, "thinking_tokens": 0,
        "cost": None, "started": "", "seconds": 1.0, "failure_kind": kind,
        "status": "ok" if kind is None else "failed", "failure_message": None,
        "source": Source.network,
    }  # fmt: skip
    return Attempt(**{**values, **more})


def levers(*names: str) -> str:
    """Return a reply with these levers."""
    return json.dumps({"levers": [lever(name) for name in names]}, ensure_ascii=False)
