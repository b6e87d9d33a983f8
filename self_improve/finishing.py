"""What a run's record ends with: what was sent, what was spent, and whether it is evidence."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.jsonl import Appender
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from prompt_lab.record import SURFACES, CellKey
from self_improve import evidence
from self_improve.matrix import Arm
from self_improve.stopping import Stand


def sent_by_now(arm: Arm) -> dict[str, Any]:
    """Return what `surfaces.json` says when the run ends, of the attempts that there are."""
    sent = evidence.sent_by(arm.writer.run.attempts())
    return evidence.surfaces_as_sent(arm.specification, sent)


def finish(arm: Arm, left: Sequence[CellKey], stand: Stand | None = None) -> None:
    """Write what the record ends with, if no cell is left or those that are are not needed.

    Raises:
        OSError: the data repo cannot be written.
    """
    writer, specification = arm.writer, arm.specification
    if left and (stand is None or not stand.settled):
        return
    rows = writer.run.rows()
    attempts = writer.run.attempts()
    sent = evidence.surfaces_as_sent(specification, evidence.sent_by(attempts))
    for name, value in ((SURFACES, sent), (OVERVIEW, overview(attempts))):
        # A session that was killed here has left what this one would write.
        if not (writer.run.path / name).exists():
            writer.write_json(name, value)
    if not (writer.run.path / USAGE).exists():
        with Appender(writer.run.path / USAGE) as usage:
            usage.append_all(usage_rows(attempts))
    failed = sum(row.get("error") is not None for row in rows.values())
    writer.event("finished")
    with contextlib.suppress(OSError):
        arm.scratch.rmdir()
    writer.finish(
        {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "stopped": "decided" if left else None,
            **({"decision": dict(stand.facts)} if stand is not None else {}),
            "cells": {
                "ok": len(rows) - failed,
                "failed": failed,
                "partial": sum(bool(row.get("partial")) for row in rows.values()),
                "not_run": [list(cell) for cell in left],
            },
            "spent": _spent(attempts),
            "evidence": evidence.judged(specification, list(rows.values()), sent),
        }
    )


def _spent(attempts: Sequence[Attempt]) -> dict[str, Any]:
    costs = [attempt.cost for attempt in attempts]
    return {
        "attempts": len(attempts),
        "input_tokens": sum(a.input_tokens or 0 for a in attempts),
        "output_tokens": sum(a.output_tokens or 0 for a in attempts),
        "cost_usd": None if None in costs else sum(c for c in costs if c is not None),
    }
