"""What several generators ask a proposer: whole new texts, shown the old ones and their faults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from model_gateway.material import block, json_block
from self_improve.generators.trial import Outcome, Proposal, Trial

MOST_FLAWS = 24
_A_METRIC = 4
_LONGEST_QUOTE = 200
REPLY_TOKENS = 8000


class Variant(BaseModel):
    """One proposed text."""

    surface: str = Field(default="", description="The id of the text.")
    text: str = Field(description="The whole new text.")
    change: str = Field(default="", description="1 sentence.")
    rationale: str = Field(default="", description="1 or 2 sentences.")


class Variants(BaseModel):
    """Several proposed texts."""

    variants: list[Variant] = Field(min_length=1, description="As many as were asked for.")


def shown(trial: Trial, proposal: Proposal) -> str:
    """Return the searched texts of a proposal, each in a block with its id."""
    return "\n\n".join(named(surface, proposal.texts[surface]) for surface in trial.searched)


def named(surface: str, text: str) -> str:
    """Return one text in a block with its id."""
    return block("prompt", text).replace("<prompt>", f'<prompt id="{surface}">', 1)


def aims(trial: Trial) -> str:
    """Return what the step is for and what its owner insists on."""
    wishes = "\n".join(f"- {wish}" for wish in trial.constraints) or "-"
    return "\n\n".join([block("instructions", trial.instructions), block("constraints", wishes)])


def feedback(outcomes: Iterable[Outcome]) -> str:
    """Return the faults of some outcomes, spread over metrics, as JSON in a block.

    Failed cells are told with their reason.
    """
    by_metric: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in outcomes:
        if outcome.failure is not None:
            row = {"metric": "failure", "field": "", "quote": outcome.failure[:_LONGEST_QUOTE]}
            by_metric.setdefault("failure", []).append(row)
        for flaw in outcome.flaws:
            row = {"metric": flaw.metric, "field": flaw.field, "quote": flaw.quote[:_LONGEST_QUOTE]}
            rows = by_metric.setdefault(flaw.metric, [])
            if row not in rows and len(rows) < _A_METRIC:
                rows.append(row)
    rows = [row for own in by_metric.values() for row in own]
    return json_block("feedback", rows[:MOST_FLAWS])


def attempts(trial: Trial, tried: Sequence[tuple[Mapping[str, str], float | None]]) -> str:
    """Return texts that were tried, with their scores out of 100, and those rejected earlier."""
    rows: list[dict[str, Any]] = []
    for texts, score in tried:
        changed = {s: t for s, t in texts.items() if t != trial.baseline.texts.get(s)}
        told = None if score is None else round(100 * score)
        rows += [{"surface": s, "text": t, "score": told} for s, t in changed.items()]
    for one in trial.failed:
        rejected = one.get("texts")
        if isinstance(rejected, Mapping):
            reasons = json.dumps(one.get("reasons", []), ensure_ascii=False)
            rows += [{"surface": s, "text": t, "rejected": reasons} for s, t in rejected.items()]
    return json_block("attempts", rows)


def admitted(
    trial: Trial, variant: Variant, parents: Sequence[Proposal], operator: str
) -> Proposal | None:
    """Admit a proposed text; with one searched text a missing or odd id means that one."""
    surface = variant.surface.strip()
    if surface not in trial.searched and len(trial.searched) == 1:
        surface = trial.searched[0]
    change = variant.change.strip() or variant.rationale.strip()
    return trial.admit(
        {surface: variant.text}, operator=operator, parents=parents, change=change[:300]
    )


def plainly(value: Any) -> str:
    """Return JSON values as a text for a reader."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def leaves(value: Any) -> list[str]:
    """Return every text in JSON values, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in leaves(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in leaves(inner)]
    return []
