"""What several generators ask a proposer: whole new texts, shown the old ones and their faults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from model_gateway.call import Call, R
from model_gateway.material import block, json_block
from self_improve import prompts
from self_improve.search.trial import CellOutcome, Proposal, Trial

MOST_FLAWS = 24
_A_METRIC = 4
_LONGEST_QUOTE = 200
REPLY_TOKENS = 8000
LONGEST_NOTE = 2000
"""So many characters of what a proposer says about texts are shown to it again."""
_DEMONSTRATION = (30, 300)


class Variant(BaseModel):
    """One proposed text."""

    surface: str = Field(default="", description="The id of the text.")
    text: str = Field(description="The whole new text.")
    change: str = Field(default="", description="1 sentence.")
    rationale: str = Field(default="", description="1 or 2 sentences.")


class Variants(BaseModel):
    """Several proposed texts."""

    variants: list[Variant] = Field(min_length=1, description="As many as were asked for.")


def question(key: str, told: str, *parts: str, schema: type[R]) -> Call[R]:
    """Return the call that puts `parts` under the instructions called `told`."""
    return Call(
        key=key, system=prompts.read(told), user="\n\n".join(parts), schema=schema,
        max_output_tokens=REPLY_TOKENS,
    )  # fmt: skip


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


def feedback(outcomes: Iterable[CellOutcome], notes: Iterable[str] = ()) -> str:
    """Return the faults of some outcomes, spread over metrics, as JSON in a block.

    Failed cells are told with their reason. `notes` are what a proposer said of the faults.
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
    told = [{"note": note[:LONGEST_NOTE]} for note in notes]
    return json_block("feedback", [*told, *rows[:MOST_FLAWS]])


def attempts(trial: Trial, tried: Sequence[tuple[Mapping[str, str], float | None]]) -> str:
    """Return texts rejected by earlier iterations, then those tried, with scores out of 100.

    Only the texts are shown in which a proposal differs from the baseline.
    """
    rows: list[dict[str, Any]] = []
    for one in trial.failed:
        rejected = one.get("texts")
        if isinstance(rejected, Mapping):
            reasons = json.dumps(one.get("reasons", []), ensure_ascii=False)
            rows += [{"surface": s, "text": t, "rejected": reasons} for s, t in rejected.items()]
    for texts, score in tried:
        own = {s: texts[s] for s in trial.searched}
        changed = {s: t for s, t in own.items() if t != trial.baseline.texts[s]} or own
        told = None if score is None else round(100 * score)
        rows += [{"surface": s, "text": t, "score": told} for s, t in changed.items()]
    return json_block("attempts", rows)


def admitted(
    trial: Trial, variant: Variant, parents: Sequence[Proposal], operator: str
) -> Proposal | None:
    """Admit a proposed text; with one searched text a missing or odd id means that one."""
    surface = variant.surface.strip()
    if surface not in trial.searched and len(trial.searched) == 1:
        surface = trial.searched[0]
    change = variant.change.strip() or variant.rationale.strip()
    pattern = getattr(variant, "pattern", "").strip()
    return trial.admit(
        {surface: variant.text}, operator=operator, parents=parents, change=change[:300],
        pattern=pattern or None,
    )  # fmt: skip


def pair(outcome: CellOutcome, longest: int) -> dict[str, Any]:
    """Return what the step was given and wrote in one case, each cut to `longest` characters."""
    return {"plan": outcome.plan[:longest], "output": plainly(outcome.output)[:longest]}


def fitting(value: Any, longest: int) -> Any:
    """Return JSON values with shorter lists where the whole has more characters than `longest`."""
    if len(plainly(value)) <= longest:
        return value
    cut = [_first(value, count) for count in (8, 4, 2, 1)]
    return next((one for one in cut if len(plainly(one)) <= longest), plainly(value)[:longest])


def _first(value: Any, count: int) -> Any:
    if isinstance(value, list):
        return [_first(inner, count) for inner in value[:count]]
    if isinstance(value, Mapping):
        return {key: _first(inner, count) for key, inner in value.items()}
    return value


def good(outcomes: Iterable[CellOutcome]) -> list[CellOutcome]:
    """Return the better half of some outcomes, the best first; those worth nothing are none.

    It is counted from what was reached, since a step that needs a search seldom does well.
    """
    order = sorted(outcomes, key=lambda outcome: -(outcome.score or 0.0))
    return [outcome for outcome in order[: (len(order) + 1) // 2] if outcome.score]


def demonstrations(outcomes: Iterable[CellOutcome]) -> list[str]:
    """Return single texts that the step wrote in the better half of some cases, each in a line."""
    least, most = _DEMONSTRATION
    lines = [" ".join(text.split()) for one in good(outcomes) for text in leaves(one.output)]
    return [line for line in dict.fromkeys(lines) if least <= len(line) <= most]


def demonstrated(pairs: Iterable[CellOutcome], longest: int) -> str:
    """Return what the step was given and wrote in some cases, pair by pair, to infer from."""
    return "\n\n".join(
        text
        for one in pairs
        for text in (
            block("plan", one.plan[:longest]),
            json_block("output", {"written": fitting(one.output, longest)}),
        )
    )


def quoted(text: str, demonstrations: Iterable[str]) -> str:
    """Return a prompt with demonstrations behind it, as quotes."""
    quotes = "".join(f"\n> {one}\n" for one in demonstrations)
    return f"{text.rstrip()}\n{quotes}" if quotes else text


def main_surface(trial: Trial) -> str:
    """Return the searched surface whose text is the longest: what instructs the model."""
    return max(trial.searched, key=lambda surface: len(trial.baseline.texts[surface]))


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
