"""What records show of the origin of their outputs: one run or two, which prompt, which model."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from model_gateway.foreign_files import json_of, opened, read_bytes
from model_gateway.jsonl import LARGEST_LINE
from prompt_lab import integrity
from prompt_lab.record import ATTEMPTS, Run
from self_improve.records.json_paths import texts_in
from self_improve.records.soundness import is_ok, name_of

_MOST_BYTES = 12_000_000
_SYSTEM, _USER = ("system_prompt", "system_prompt_list"), ("user_prompt", "user_prompt_list")
_NAMES = re.compile(rb'"(?:system|user)_prompt(?:_list)?"')
_REPORTED = re.compile(
    rb'"fallback": (true|false), "reported_model": (null|"(?:[^"\\]|\\.)*")[^{}\[\]]*\}\s*\Z'
)


def same_runs(before: Sequence[Run], after: Sequence[Run]) -> list[str]:
    """Return the runs that are named more than once, by whatever path, as refusals."""
    named = [*((run, "before") for run in before), *((run, "after") for run in after)]
    marks = [_identities(run) for run, _ in named]
    problems = []
    for (n, (one, side)), (m, (other, other_side)) in itertools.combinations(enumerate(named), 2):
        if not marks[n] & marks[m]:
            continue
        where = "on both sides" if side != other_side else f"twice on the side {side}"
        if one.path == other.path:
            problems.append(f"{one.path} is {where}")
        else:
            problems.append(f"{one.path} is {where}: {other.path} is the same run")
    return list(dict.fromkeys(problems))


def _identities(run: Run) -> set[tuple[str, ...]]:
    """Return what identifies a run wherever its directory is, and whatever it is called."""
    marks: set[tuple[str, ...]] = {("path", str(run.path.resolve()))}
    meta = run.meta
    if isinstance(meta.get("run_id"), str) and isinstance(meta.get("created"), str):
        marks.add(("run", meta["run_id"], meta["created"], str(meta.get("number"))))
    if not integrity.is_older(run):
        content = _content(run.path / ATTEMPTS)
        if content:
            marks.add(("attempts", hashlib.sha256(content).hexdigest()))
        return marks
    total = hashlib.sha256(run.model.encode())
    count = 0
    for (plan, repeat), row in sorted(run.rows().items()):
        total.update(json.dumps([plan, repeat, row], sort_keys=True).encode())
        folder = run.outputs(plan, repeat)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_file() and not path.name.startswith("."):
                total.update(path.name.encode() + _content(path))
                count += 1
    if count:
        marks.add(("cells", total.hexdigest()))
    return marks


def reported_models(runs: Iterable[Run]) -> dict[str, frozenset[str]]:
    """Return the ids that the replies name, for each model; fallbacks are left out."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        try:
            file = opened(run.path / ATTEMPTS)
        except OSError:
            continue
        with file:
            while line := file.readline(LARGEST_LINE):
                name = _reported_in(line)
                if name:
                    names[run.model].add(name)
    return {model: frozenset(ids) for model, ids in names.items()}


def _reported_in(line: bytes) -> str | None:
    """Return the id in one line of the attempts; the key is the last one that is written."""
    tail = _REPORTED.search(line, max(0, len(line) - 2000))
    if tail is not None:
        name = None if tail[1] == b"true" else json.loads(tail[2])
    elif b'"reported_model"' in line:
        try:
            row = json_of(line)
        except ValueError:
            return None
        name = (
            row.get("reported_model") if isinstance(row, dict) and not row.get("fallback") else None
        )
    else:
        return None
    return name if isinstance(name, str) else None


@dataclass(frozen=True, kw_only=True)
class ShownTexts:
    """What the artifacts of older runs show of the texts that were sent, by plan."""

    system: Mapping[str, frozenset[str]] = field(default_factory=dict)
    user: Mapping[str, frozenset[str]] = field(default_factory=dict)


def shown_texts(run: Run) -> ShownTexts:
    """Return the texts in the artifacts of an older run; those of today's form need none."""
    if not integrity.is_older(run):
        return ShownTexts()
    system: defaultdict[str, set[str]] = defaultdict(set)
    user: defaultdict[str, set[str]] = defaultdict(set)
    for (plan, repeat), row in run.rows().items():
        for value in _documents(run.outputs(plan, repeat)) if is_ok(row) else ():
            for into, keys in ((system, _SYSTEM), (user, _USER)):
                text = "\n".join(t for key in keys for t in texts_in(value.get(key)))
                if text:
                    into[plan].add(text)
    return ShownTexts(
        system={plan: frozenset(texts) for plan, texts in system.items()},
        user={plan: frozenset(texts) for plan, texts in user.items()},
    )


def contradicted_prompts(run: Run, shown: ShownTexts) -> Iterator[str]:
    """Yield a refusal if an older record names another prompt than its artifacts hold.

    A prompt that is filled in for each plan has another digest than its template, so only a text
    that is the same for all plans counts.
    """
    recorded = run.meta.get("system_prompt_sha256")
    texts = {text for of_plan in shown.system.values() for text in of_plan}
    if not isinstance(recorded, str) or not texts:
        return
    digests = {hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts}
    if digests != {recorded} and (recorded in digests or len(digests) == 1):
        yield (
            f"{name_of(run.path)} was answered with another prompt than its meta.json names: its "
            "artifacts hold the text"
        )


def mixed_prompts(runs: Sequence[tuple[Run, ShownTexts]], side: str) -> Iterator[str]:
    """Yield a refusal if the runs of a side show different prompts for one plan."""
    by_plan: dict[str, tuple[Run, frozenset[str]]] = {}
    for run, shown in runs:
        for plan, texts in shown.system.items():
            first, other = by_plan.setdefault(plan, (run, texts))
            if other != texts:
                yield (
                    f"the runs {side} are of more than one prompt: {name_of(first.path)} and "
                    f"{name_of(run.path)} show different texts for {plan}"
                )
                return


def other_inputs(
    before: Sequence[tuple[Run, ShownTexts]], after: Sequence[tuple[Run, ShownTexts]]
) -> Iterator[str]:
    """Yield a refusal for each plan that was given to the model with other inputs.

    If every plan's text was changed in the same way, the step's own words around it were changed.
    """
    sides = [_by_plan(side) for side in (before, after)]
    differing = {
        plan: (sides[0][plan], sides[1][plan])
        for plan in sorted(sides[0].keys() & sides[1].keys())
        if sides[0][plan] != sides[1][plan]
    }
    edits = {_edit(*texts) for texts in differing.values()}
    if len(differing) > 1 and len(edits) == 1:
        return
    for plan in differing:
        yield f"{plan} had different inputs: the artifacts show another text that was sent"
    for name, side in (("before", before), ("after", after)):
        seen: dict[str, frozenset[str]] = {}
        for _, shown in side:
            for plan, texts in shown.user.items():
                if seen.setdefault(plan, texts) != texts:
                    yield f"{plan}: runs {name} had different inputs, as their artifacts show"


def _by_plan(side: Sequence[tuple[Run, ShownTexts]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for _, shown in side:
        for plan, of_plan in shown.user.items():
            texts.setdefault(plan, "\n".join(sorted(of_plan)))
    return texts


def _edit(old: str, new: str) -> tuple[str, str]:
    """Return what was taken out of a text and what was put in its place."""
    least = min(len(old), len(new))
    start = next((n for n in range(least) if old[n] != new[n]), least)
    end = next((n for n in range(least - start) if old[-1 - n] != new[-1 - n]), least - start)
    return old[start : len(old) - end], new[start : len(new) - end]


def _documents(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the artifacts of a cell that hold the facts of a call."""
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        content = _content(path)
        if not _NAMES.search(content):
            continue
        try:
            value = from_json(content)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, most=_MOST_BYTES)
    except OSError:
        return b""
