"""What a run may be used for: which texts were really sent, and whether the result counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.call import Source
from self_improve.specification import RunSpecification
from self_improve.surfaces import DESCRIPTION, described_in, digest, sent_in

REAL = "real"
SIMULATED = "simulated"
HISTORICAL = "historical"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The distinct texts of a run's first attempts: those after a failure add the gateway's own."""

    messages: Mapping[str, str]
    descriptions: frozenset[str]


def sent_by(attempts: Iterable[Attempt]) -> Sent:
    """Return what `attempts` sent: messages by text with their role, and schema descriptions."""
    messages: dict[str, str] = {}
    descriptions: set[str] = set()
    schemas: set[int] = set()
    for attempt in attempts:
        if any(message["role"] == "assistant" for message in attempt.messages):
            continue
        for message in attempt.messages:
            messages.setdefault(message["content"], message["role"])
        if attempt.schema is not None:
            key = hash(str(attempt.schema))
            if key not in schemas:
                schemas.add(key)
                descriptions |= described_in(attempt.schema)
    return Sent(messages=messages, descriptions=frozenset(descriptions))


def surfaces_as_sent(specification: RunSpecification, sent: Sent) -> dict[str, Any]:
    """Return the content of `surfaces.json`.

    `surfaces` holds every surface that was sent, and those the step was found to reach but did
    not send; `unmatched` what was sent and belongs to no surface.
    """
    texts = specification.candidate.texts
    rows = []
    matched_descriptions: set[str] = set()
    matched_messages: set[str] = set()
    for surface in specification.pipeline.surfaces.values():
        now = surface.with_text(texts)
        holding = [m for m in sent.messages if sent_in(now, [m], set())]
        was_sent = bool(holding) or sent_in(now, [], set(sent.descriptions))
        matched_messages.update(holding)
        if now.kind == DESCRIPTION and was_sent:
            matched_descriptions.add(now.text)
        if was_sent or surface.id in specification.step.surfaces:
            rows.append({**now.to_row(), "sent": was_sent, "candidate": surface.id in texts})
    system = [m for m, role in sent.messages.items() if role == "system"]
    return {
        "surfaces": rows,
        "unmatched": {
            "descriptions": sorted(sent.descriptions - matched_descriptions),
            "system_messages": [digest(m) for m in system if m not in matched_messages],
        },
    }


def judged(
    specification: RunSpecification,
    rows: Sequence[Mapping[str, Any]],
    sent: Mapping[str, Any],
) -> dict[str, Any]:
    """Return whether a run is evidence, and every reason why it is not.

    The kind is simulated for simulated models, historical where something that evidence needs
    is missing, and real otherwise.
    """
    reasons: list[str] = []
    code = specification.code
    if code.commit is None:
        reasons.append("the code is in no git repository, so no commit names it")
    elif code.dirty:
        reasons.append("the code differs from its commit, so no commit names it")
    missing = [row["id"] for row in sent["surfaces"] if row["candidate"] and not row["sent"]]
    if missing:
        reasons.append(f"the candidate's text was never sent: {', '.join(missing)}")
    sources = {source for row in rows for source in row.get("sources", ())}
    other = sorted(sources - {Source.network, Source.simulated})
    if other:
        reasons.append(f"replies came from {', '.join(other)}")
    if any(row.get("fallback") for row in rows):
        reasons.append("a fallback model answered in place of the one that is measured")
    if specification.model.is_simulated:
        return {"kind": SIMULATED, "reasons": reasons}
    return {"kind": HISTORICAL if reasons else REAL, "reasons": reasons}
