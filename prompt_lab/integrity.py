"""Whether a finished run still is what was written: its files against the digests in its record."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.jsonl import read_rows
from prompt_lab import lfs
from prompt_lab.record import (
    ATTEMPTS,
    DONE,
    EVENTS,
    META,
    OUTPUTS,
    SEAL,
    SURFACES,
    Run,
    changed_since_done,
    seal_of,
)  # fmt: skip

SPECIFIED = (
    "step", "host", "code", "candidate", "models", "speed", "seed", "repeats", "inputs",
)  # fmt: skip
"""The keys of `meta.json` whose values make up the digest of the specification."""

_CELLS = ("outputs", "repeats")
_HIDDEN = "."


def alterations(run: Run) -> tuple[str, ...]:
    """Return what was changed in a run since it was finished, file by file; nothing if intact.

    A run that is not finished, and a record of the older form, have no digests to compare with.
    """
    return _alterations(run.path, _stamps(run.path))


def is_older(run: Run) -> bool:
    """Whether a record is of the form that had no version, no attempts and no mark of its end."""
    parts = (ATTEMPTS, DONE)
    return "schema_version" not in run.meta and not any((run.path / p).exists() for p in parts)


def specification_digest(meta: Mapping[str, Any], *, without: str | None = None) -> str | None:
    """Return the digest of the specification that `meta.json` holds, None if parts are missing.

    Args:
        meta: its content.
        without: a part that does not count.
    """
    if any(key not in meta for key in SPECIFIED):
        return None
    # What `meta.json` says of code and candidate is more than what identifies them.
    digests = {
        key: meta[key].get("digest") if isinstance(meta[key], Mapping) else None
        for key in ("code", "candidate")
    }
    parts = {key: meta[key] for key in SPECIFIED} | digests
    return digest_of({key: value for key, value in parts.items() if key != without})


@lru_cache(maxsize=512)
def _alterations(path: Path, stamps: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the alterations of a run; `stamps` changes whenever one of its files does."""
    run = Run(path)
    names = {stamp[0] for stamp in stamps}
    pointers = [name for name in sorted(names) if lfs.is_pointer_at(path / name)]
    problems = [f"{name} {lfs.PROBLEM}" for name in pointers]
    if DONE not in names:
        if problems or is_older(run):
            return tuple(problems)
        return tuple(_unfinished(run, names))
    done = run.done()
    if DONE in pointers:
        return tuple(problems)
    if done is None:
        return (*problems, f"{DONE} is torn or is not JSON")
    if "schema_version" not in run.meta and META not in pointers:
        problems.append(f"{META} lacks its version, or cannot be read")
    if SEAL in done and done[SEAL] != seal_of(done):
        problems.append(f"{DONE} was changed")
    digests = done.get("digests")
    if isinstance(digests, dict):
        problems += _against_digests(path, digests, names, set(pointers))
    problems += _contradictions(run, digests if isinstance(digests, dict) else {})
    return tuple(dict.fromkeys(problems))


def _unfinished(run: Run, names: set[str]) -> Iterator[str]:
    """Yield what shows that a run had been finished, although its last record is missing."""
    if META not in names or not run.meta:
        yield f"{META} is missing or torn"
        return
    ends = [
        row["event"] for row in read_rows(run.path / EVENTS)[0]
        if row.get("event") in {"finished", "resumed"}
    ]  # fmt: skip
    if ends[-1:] == ["finished"]:
        yield f"{DONE} is missing, although the run was finished"


def _against_digests(
    path: Path, digests: Mapping[str, Any], names: set[str], pointers: set[str]
) -> Iterator[str]:
    for name in changed_since_done(Run(path)):
        if name not in pointers:
            yield f"{name} was changed" if (path / name).is_file() else f"{name} is missing"
    for name in sorted(names - digests.keys()):
        parts = name.split("/")
        if parts[0] in _CELLS and not any(part.startswith(_HIDDEN) for part in parts):
            yield f"{name} was added"


def _contradictions(run: Run, digests: Mapping[str, Any]) -> Iterator[str]:
    """Yield where digests in the record contradict each other: one file was changed with its own.

    The digest of the specification is that of its parts, the texts in `surfaces.json` have the
    digests in `meta.json`, and each artifact has that in the row of its cell.
    """
    meta = run.meta
    recorded, digest = meta.get("specification"), specification_digest(meta)
    if recorded is not None and digest not in (None, recorded):
        yield f"{META} was changed: it is not what the digest of its specification says"
    yield from _changed_texts(run)
    for (plan, repeat), row in run.rows().items():
        outputs = row.get("outputs")
        if row.get("error") is not None or not isinstance(outputs, dict):
            continue
        folder = run.outputs(plan, repeat).relative_to(run.path).as_posix()
        for name, digest in outputs.items():
            if digests.get(f"{folder}/{name}", digest) != digest:
                yield f"{folder}/{name} is not what {OUTPUTS} says"


def _changed_texts(run: Run) -> Iterator[str]:
    recorded = run.meta.get("surfaces")
    rows = run.surfaces().get("surfaces")
    if not isinstance(recorded, dict) or not isinstance(rows, list):
        return
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            continue
        digest = hashlib.sha256(row["text"].encode("utf-8", "surrogatepass")).hexdigest()
        if recorded.get(row.get("id"), digest) != digest:
            yield f"{SURFACES} was changed: the text of {row['id']} is not that of {META}"


def _stamps(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the name of each file of a run, with what changes when the file does."""
    return tuple(sorted(_walk(path, "")))


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, ...]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/")
            elif entry.is_file():
                state = entry.stat()
                yield (
                    name,
                    f"{state.st_ino}.{state.st_size}.{state.st_mtime_ns}.{state.st_ctime_ns}",
                )
        except OSError:
            continue
