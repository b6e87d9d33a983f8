"""What a run may be used for: the texts it really sent, whether it counts, and its last records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_gateway.attempt import Attempt, digest_of
from model_gateway.call import Source
from model_gateway.counsel import spent_in
from model_gateway.jsonl import lines, read_rows
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from prompt_lab import atomic
from prompt_lab.record import EVENTS, SURFACES, Evidence, Run, RunCell
from self_improve.host.surfaces import (
    DESCRIPTION,
    Description,
    Surface,
    descriptions_in,
    descriptions_in_text,
    descriptions_of,
    digest,
    messages_with,
)
from self_improve.records.soundness import DECIDED, FUTILE, OPEN_WORD
from self_improve.runs.jobs import Arm
from self_improve.runs.specification import RunSpecification
from self_improve.runs.stopping import LookResult
from self_improve.sandbox.choice import UNSAFE


@dataclass(frozen=True, kw_only=True)
class SentTexts:
    """The distinct texts of a run's first attempts: those after a failure add the gateway's own.

    `messages` maps each text to its role.
    """

    messages: Mapping[str, str]
    descriptions: frozenset[Description]


def sent_by(attempts: Iterable[Attempt]) -> SentTexts:
    """Return what `attempts` sent."""
    messages: dict[str, str] = {}
    descriptions: set[Description] = set()
    schemas: set[str] = set()
    for attempt in attempts:
        # The assistant turns of a host's own are in its first attempts too.
        if attempt.number > 1 and any(m["role"] == "assistant" for m in attempt.messages):
            continue
        for message in attempt.messages:
            if message["content"] not in messages:
                messages[message["content"]] = message["role"]
                descriptions |= descriptions_in_text(message["content"])
        key = digest_of(attempt.schema)
        if key not in schemas:
            schemas.add(key)
            descriptions |= descriptions_in(attempt.schema)
    return SentTexts(messages=messages, descriptions=frozenset(descriptions))


def surfaces_as_sent(specification: RunSpecification, sent: SentTexts) -> dict[str, Any]:
    """Return the content of `surfaces.json`.

    `surfaces` lists every surface that was sent, those that the step reaches in its code but did
    not send, and the candidate's; `unmatched` what was sent and belongs to no surface. A text that
    could be of several surfaces is attributed to those that the step reaches. The row of a
    candidate's surface says whether the text that it replaces was sent as well.
    """
    texts, reached = specification.candidate.texts, set(specification.step.surfaces)
    surfaces = [s.with_text(texts) for s in specification.pipeline.surfaces.values()]
    surfaces.sort(key=lambda surface: surface.id not in reached)
    claimed: set[str | Description] = set()
    rows = []
    for surface in surfaces:
        matches = _matches(surface, sent)
        is_reached = surface.id in reached
        # Templates and preambles share a message; a description belongs to one field only.
        was_sent = bool(matches) and (
            is_reached or surface.kind != DESCRIPTION or not claimed.issuperset(matches)
        )
        claimed.update(matches if was_sent else ())
        if was_sent or is_reached or surface.id in texts:
            row = {**surface.to_row(), "sent": was_sent, "candidate": surface.id in texts}
            if surface.id in texts:
                original = specification.pipeline.surfaces[surface.id]
                row["original_sent"] = not set(_matches(original, sent)) <= set(matches)
            rows.append(row)
    unmatched = sent.descriptions - claimed
    return {
        "surfaces": sorted(rows, key=lambda row: str(row["id"])),
        "unmatched": {
            "descriptions": sorted(one.text for one in unmatched),
            "system_messages": [
                digest(message)
                for message, role in sent.messages.items()
                if role == "system" and message not in claimed
            ],
        },
    }


def _matches(surface: Surface, sent: SentTexts) -> Sequence[str | Description]:
    """Return the messages, or the descriptions, that contain a surface."""
    if surface.kind == DESCRIPTION:
        return descriptions_of(surface, sent.descriptions)
    return messages_with(surface, sent.messages)


def classify(
    specification: RunSpecification,
    rows: Sequence[Mapping[str, Any]],
    sent: Mapping[str, Any],
    *,
    unconfined: bool = False,
) -> dict[str, Any]:
    """Return what kind of evidence a run is, and every reason why it is not real.

    That the code ran without the sandbox that it should have had is said beside them.

    Args:
        specification: of the run.
        rows: of its cells.
        sent: the content of `surfaces.json`.
        unconfined: whether the code of strangers was run without a sandbox.
    """
    reasons: list[str] = []
    code = specification.code
    if code.commit is None:
        reasons.append("the code is not in a git repository, so no commit identifies it")
    elif code.dirty:
        reasons.append("the code has uncommitted changes, so no commit identifies it")
    missing = [row["id"] for row in sent["surfaces"] if row["candidate"] and not row["sent"]]
    if missing:
        reasons.append(f"the candidate's text was never sent: {', '.join(missing)}")
    both = [row["id"] for row in sent["surfaces"] if row.get("original_sent")]
    if both:
        reasons.append(f"the text that the candidate replaces was sent as well: {', '.join(both)}")
    sources = {source for row in rows for source in row.get("sources", ())}
    reused = sorted(sources - {Source.network, Source.simulated})
    if reused:
        reasons.append(f"replies came from {', '.join(reused)}")
    if any(row.get("fallback") for row in rows):
        reasons.append("a fallback model answered in place of the measured one")
    kind = Evidence.historical if reasons else Evidence.real
    if specification.model.is_simulated:
        kind = Evidence.simulated
    if unconfined:
        reasons.append("the code ran without a sandbox (--unsafe-no-sandbox)")
    return {"kind": str(kind), "reasons": reasons}


def sent_so_far(arm: Arm) -> dict[str, Any]:
    """Return the content of `surfaces.json` as of now."""
    return surfaces_as_sent(arm.specification, sent_by(arm.writer.run.attempts()))


def finish(arm: Arm, left: Sequence[RunCell], look: LookResult | None = None) -> None:
    """Write a run's last records, unless cells are left that are still needed.

    Raises:
        OSError: the data repo cannot be written.
    """
    if left and (look is None or not look.settled):
        return
    writer, specification = arm.writer, arm.specification
    rows = writer.run.rows()
    attempts = writer.run.attempts()
    sent = surfaces_as_sent(specification, sent_by(attempts))
    # Each is written whole, and again by the session after one that was killed here.
    path = writer.run.path
    atomic.write_json(path / SURFACES, sent, indent=2)
    atomic.write_json(path / OVERVIEW, overview(attempts), indent=2)
    atomic.write(path / USAGE, lines(usage_rows(attempts)))
    failed = sum(row.get("error") is not None for row in rows.values())
    writer.event("finished")
    with contextlib.suppress(OSError):
        arm.scratch.rmdir()
    writer.finish(
        {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "stopped": _why_stopped(look) if left else None,
            **({"decision": dict(look.facts)} if look is not None else {}),
            "cells": {
                "ok": len(rows) - failed,
                "failed": failed,
                "partial": sum(bool(row.get("partial")) for row in rows.values()),
                "not_run": [list(cell) for cell in left],
            },
            "spent": _spent(writer.run, attempts),
            "evidence": classify(
                specification, list(rows.values()), sent, unconfined=_was_unconfined(writer.run)
            ),
        }
    )


def _why_stopped(look: LookResult | None) -> str:
    """Return how records say why the cells that are left were not run."""
    is_open = look is not None and look.facts.get("word") == OPEN_WORD
    return FUTILE if is_open else DECIDED


def _was_unconfined(run: Run) -> bool:
    """Whether any of a run's sessions ran the code of strangers without a sandbox."""
    sessions = [run.meta, *read_rows(run.path / EVENTS)[0]]
    return any(session.get("sandbox") == UNSAFE for session in sessions)


def _spent(run: Run, attempts: Sequence[Attempt]) -> dict[str, Any]:
    costs = [attempt.cost for attempt in attempts]
    by_price = [attempt.cost_by_price for attempt in attempts if attempt.cost_by_price is not None]
    return {
        "attempts": len(attempts),
        "input_tokens": sum(a.input_tokens or 0 for a in attempts),
        "output_tokens": sum(a.output_tokens or 0 for a in attempts),
        "cost_usd": None if None in costs else sum(c for c in costs if c is not None),
        "cost_by_price_usd": sum(by_price) if by_price else None,
        # With pings, and with the reservation of every attempt whose cost is unknown.
        "charged_usd": spent_in(run.path).dollars,
    }
