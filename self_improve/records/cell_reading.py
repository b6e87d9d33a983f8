"""Reads one cell of a record: its replies and artifacts, and what its calls used.

An artifact that is missing, empty, unreadable or too large is a failure of its cell, never an
error here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from model_gateway import blame
from model_gateway.blame import NO_ITEMS, TOO_LARGE, UNREADABLE, WRONG_KIND
from model_gateway.jsonl import Row, read_rows
from model_gateway.usage import USAGE
from rubrics.rubric import Rubric, Source
from self_improve.records import artifact_files, sent_texts
from self_improve.records.attempt_index import AttemptIndex
from self_improve.records.json_paths import items_at, without_call_facts
from self_improve.records.run_facts import failure_kind_in
from self_improve.records.soundness import is_ok


class Refusal(Exception):  # noqa: N818 - it is an outcome of a cell, not an error of ours
    """A cell that was recorded as ok cannot be measured; `kind` says why."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is measured of one cell that succeeded.

    `clean` are the items of the cleaned form; `replies` those of each reply, call by call. `input`
    is what was sent of the plan, `prompt` what was sent by the step; each is empty where the
    record does not hold it. `lists` counts the items of each list of the cleaned form.
    `snapshot` is what the plan's artifacts that the step reads hold, and stands for an `input` that
    the record does not hold.
    `prompt_chars` is the length of all the step's texts that were sent,
    with the descriptions in the schema where the record names those.
    """

    clean: Sequence[Any] = ()
    replies: Sequence[Sequence[Any]] = ()
    input: str = ""
    prompt: str = ""
    prompt_chars: int | None = None
    lists: Mapping[str, int] = field(default_factory=dict)
    snapshot: str = ""


@dataclass(frozen=True, kw_only=True)
class CellReading:
    """One cell of a record: its row, and its files when they are asked for.

    `snapshot` is the directory of the plan that it was run on, where that is at hand.
    """

    plan: str
    model: str
    repeat: int
    row: Row
    folder: Path
    rubric: Rubric
    attempts: AttemptIndex | None = None
    prompts: Sequence[str] = ()
    prompt_chars: int | None = None
    partial: bool = False
    has_tokens: bool = True
    snapshot: Path | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the record says that the cell succeeded."""
        return is_ok(self.row)

    @property
    def failure_kind(self) -> str | None:
        """The kind of failure that the record names."""
        error = self.row.get("error")
        text = error if isinstance(error, str) else ""
        kind = self.row["failure_kind"] if "failure_kind" in self.row else failure_kind_in(text)
        return blame.kind_in_record(kind if isinstance(kind, str) else None, text)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that the cell's measures are made from."""
        total = hashlib.sha256()
        facts = [
            self.plan, self.model, self.repeat, self.row, self.partial, self.has_tokens,
            self.prompt_chars, *self.prompts,
        ]  # fmt: skip
        total.update(json.dumps(facts).encode())
        for name, data in self._files.items():
            total.update(f"\0{name}\0{len(data) if data is not None else 'large'}\0".encode())
            total.update(data or b"")
        if self.has_tokens:
            total.update(artifact_files.content(self.folder / USAGE) or b"")
        if self.rubric.inputs:
            total.update(self._snapshot().encode("utf-8", "replace"))
        if self.attempts is not None:
            total.update(self.attempts.digest(self.plan, self.repeat))
        return total.hexdigest()

    @cached_property
    def usage(self) -> Mapping[str, Any]:
        """What the cell's calls used, by its row, or in older records by its usage file.

        Older records with several workers also counted the calls of other cells, so their tokens
        and costs are unknown.
        """
        if "attempts" in self.row or not self.has_tokens:
            return self.row
        every = read_rows(self.folder / USAGE)[0]
        # A wrapper around a client writes a row of its own for the same call, without tokens.
        rows = [row for row in every if isinstance(row.get("input_tokens"), int)]
        if not rows:
            return self.row
        sums = {
            name: sum(n for row in rows if isinstance(n := row.get(name), int))
            for name in ("input_tokens", "output_tokens")
        }
        return {**self.row, **sums}

    def forget(self) -> None:
        """Drop the contents of the files; they are read again when they are needed."""
        self.__dict__.pop("_files", None)

    def content(self) -> Content:
        """Return what is measured.

        Raises:
            Refusal: what should be there cannot be measured.
        """
        clean, lists = self._items(self.rubric.clean)
        if self.rubric.clean is not None and not clean:
            raise Refusal(NO_ITEMS)
        source = self.rubric.replies
        raw = self._documents(source) if source is not None else []
        if self.attempts is not None:
            sent = self.attempts.sent(self.plan, self.repeat)
            replies: list[Any] = list(sent.replies)
            prompt, plan_input = sent_texts.of_messages(sent.system, sent.user, self.prompts)
        else:
            replies = []
        if self.attempts is None or not replies:
            replies = self._recorded_replies(raw, source)
            prompt, plan_input = sent_texts.of_artifacts(raw or self._documents(self.rubric.clean))
        snapshot = self._snapshot()
        return Content(
            clean=clean,
            replies=[_items_in(reply, source) for reply in replies] if source else (),
            input=plan_input or snapshot,
            snapshot=snapshot,
            prompt=prompt,
            prompt_chars=self.prompt_chars or len(prompt) or None,
            lists=lists,
        )

    def _items(self, source: Source | None) -> tuple[list[Any], dict[str, int]]:
        """Return the items of a source, and how many are in each of its lists."""
        if source is None:
            return [], {}
        documents = self._documents(source)
        if not documents:
            raise Refusal(UNREADABLE)
        items: list[Any] = []
        lists = dict.fromkeys(source.json_paths, 0)
        for document in documents:
            for path in source.json_paths:
                values = _items_at(document, path)
                items += values
                lists[path] += len(values)
        kinds = (dict,) if _has_fields(self.rubric) else (dict, str)
        containers = (dict, list)
        if not any(isinstance(v, kinds if items else containers) for v in items or documents):
            raise Refusal(WRONG_KIND)
        return items, lists

    def _snapshot(self) -> str:
        """Return what the step was given, by the artifacts of the plan that the rubric names."""
        if self.snapshot is None:
            return ""
        names = [
            name for one in self.rubric.inputs for name in artifact_files.names(self.snapshot, one)
        ]
        texts = [artifact_files.content(self.snapshot / name) or b"" for name in names]
        return "\n".join(text.decode("utf-8", "replace") for text in texts)

    @staticmethod
    def _recorded_replies(raw: Sequence[Any], source: Source | None) -> list[Any]:
        if source is None:
            return []
        if source.replies:
            return [reply for one in raw for reply in items_at(one, source.replies)]
        return [without_call_facts(one) for one in raw]

    def _documents(self, source: Source | None) -> list[Any]:
        """Return the values of the artifacts that a source names.

        Raises:
            Refusal: one of them is too large or is not JSON.
        """
        if source is None:
            return []
        documents = [self._parsed(name) for name in self._named(source.artifact)]
        if not source.lines:
            return documents
        return [
            [line for line in one.splitlines() if line.strip()] if isinstance(one, str) else one
            for one in documents
        ]

    def _parsed(self, name: str) -> Any:
        data = self._files[name]
        if data is None:
            raise Refusal(TOO_LARGE)
        if not name.endswith(".json"):
            return data.decode("utf-8", "replace")
        try:
            return artifact_files.parsed(data)
        except (ValueError, RecursionError) as error:
            raise Refusal(UNREADABLE) from error

    @cached_property
    def _files(self) -> dict[str, bytes | None]:
        """The contents of the artifacts that are measured; None for one that is too large."""
        sources = (self.rubric.clean, self.rubric.replies)
        names = [name for s in sources if s is not None for name in self._named(s.artifact)]
        contents: dict[str, bytes | None] = {}
        left = artifact_files.MOST_BYTES
        for name in dict.fromkeys(names):
            data = artifact_files.content(self.folder / name, left)
            contents[name] = data
            left -= len(data or b"")
        return contents

    def _named(self, artifact: str) -> list[str]:
        """Return the names that an artifact has in the cell's folder."""
        return artifact_files.names(self.folder, artifact)


def plan_cell(plan: str, folder: Path, rubric: Rubric) -> CellReading:
    """Return a baseline plan as a cell of a run."""
    return CellReading(
        plan=plan, model="", repeat=0, row={}, folder=folder, rubric=rubric, snapshot=folder
    )


def _has_fields(rubric: Rubric) -> bool:
    """Whether a rubric reads fields of the cleaned items, which are objects then."""
    uses = any(use.fields for use in rubric.metrics if use.of == "clean")
    return uses or bool(rubric.quantity.required or rubric.quantity.counts)


def _items_in(value: Any, source: Source) -> list[Any]:
    return [item for path in source.json_paths for item in _items_at(value, path)]


def _items_at(value: Any, path: str) -> list[Any]:
    values = items_at(value, path) if path else items_at(without_call_facts(value), path)
    return [item for item in values if item is not None and not _is_blank(item)]


def _is_blank(item: Any) -> bool:
    """Whether an item is a blank text, which does not count as an item."""
    return isinstance(item, str) and not item.strip()
