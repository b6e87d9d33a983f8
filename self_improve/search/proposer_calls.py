"""The parts of proposer calls that generators share: old texts, their faults, earlier attempts."""

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
"""The most characters of a proposer's own note that are shown to it again."""
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


def question(key: str, prompt: str, *parts: str, schema: type[R]) -> Call[R]:
    """Return a call with `parts` under the instructions in the prompt file named `prompt`."""
    return Call(
        key=key, system=prompts.read(prompt), user="\n\n".join(parts), schema=schema,
        max_output_tokens=REPLY_TOKENS,
    )  # fmt: skip


def prompt_blocks(trial: Trial, proposal: Proposal) -> str:
    """Return the searched texts of a proposal, each in a block with its id."""
    return "\n\n".join(prompt_block(surface, proposal.texts[surface]) for surface in trial.searched)


def prompt_block(surface: str, text: str) -> str:
    """Return one text in a block with its id."""
    return block("prompt", text).replace("<prompt>", f'<prompt id="{surface}">', 1)


def aims(trial: Trial) -> str:
    """Return the step's instructions for optimizers and the owner's constraints, in blocks."""
    constraints = "\n".join(f"- {one}" for one in trial.constraints) or "-"
    instructions = block("instructions", trial.instructions)
    return f"{instructions}\n\n{block('constraints', constraints)}"


def feedback(outcomes: Iterable[CellOutcome], notes: Iterable[str] = ()) -> str:
    """Return the faults of some outcomes, spread over metrics, as JSON in a block.

    Failed cells have their reason. `notes` are a proposer's own comments on the faults.
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
    faults = [row for rows in by_metric.values() for row in rows]
    comments = [{"note": note[:LONGEST_NOTE]} for note in notes]
    return json_block("feedback", [*comments, *faults[:MOST_FLAWS]])


def attempts(trial: Trial, tried: Sequence[tuple[Mapping[str, str], float | None]]) -> str:
    """Return texts rejected by earlier iterations, then those tried, with scores out of 100.

    Of a proposal only the texts that differ from the baseline are shown.
    """
    rows: list[dict[str, Any]] = []
    for one in trial.failed:
        rejected = one.get("texts")
        if isinstance(rejected, Mapping):
            reasons = json.dumps(one.get("reasons", []), ensure_ascii=False)
            rows += [{"surface": s, "text": t, "rejected": reasons} for s, t in rejected.items()]
    for texts, score in tried:
        searched = {s: texts[s] for s in trial.searched}
        changed = {s: t for s, t in searched.items() if t != trial.baseline.texts[s]} or searched
        percent = None if score is None else round(100 * score)
        rows += [{"surface": s, "text": t, "score": percent} for s, t in changed.items()]
    return json_block("attempts", rows)


def admit(
    trial: Trial, variant: Variant, parents: Sequence[Proposal], operator: str
) -> Proposal | None:
    """Admit a proposed text; if only one text is searched, a missing or wrong id means that one."""
    surface = variant.surface.strip()
    if surface not in trial.searched and len(trial.searched) == 1:
        surface = trial.searched[0]
    change = variant.change.strip() or variant.rationale.strip()
    pattern = getattr(variant, "pattern", "").strip()
    return trial.admit(
        {surface: variant.text}, operator=operator, parents=parents, change=change[:300],
        pattern=pattern or None,
    )  # fmt: skip


def admit_all(
    trial: Trial,
    variants: Iterable[Variant | None],
    parents: Sequence[Proposal],
    operator: str,
) -> list[Proposal]:
    """Admit the proposed texts that arrived, and return the proposals."""
    texts = [variant for variant in variants if variant is not None]
    proposals = [admit(trial, variant, parents, operator) for variant in texts]
    return [proposal for proposal in proposals if proposal is not None]


def pair(outcome: CellOutcome, longest: int) -> dict[str, Any]:
    """Return input and output of the step in one case, each cut to `longest` characters."""
    return {"plan": outcome.plan[:longest], "output": as_text(outcome.output)[:longest]}


def shortened(value: Any, longest: int) -> Any:
    """Return JSON values, with shorter lists if the whole has more characters than `longest`."""
    if len(as_text(value)) <= longest:
        return value
    cut = [_first(value, count) for count in (8, 4, 2, 1)]
    return next((one for one in cut if len(as_text(one)) <= longest), as_text(value)[:longest])


def _first(value: Any, count: int) -> Any:
    if isinstance(value, list):
        return [_first(inner, count) for inner in value[:count]]
    if isinstance(value, Mapping):
        return {key: _first(inner, count) for key, inner in value.items()}
    return value


def better_half(outcomes: Iterable[CellOutcome]) -> list[CellOutcome]:
    """Return the better half of some outcomes, the best first, without those that score 0.

    It is relative, since a step that needs a search seldom scores high.
    """
    order = sorted(outcomes, key=lambda outcome: -(outcome.score or 0.0))
    return [outcome for outcome in order[: (len(order) + 1) // 2] if outcome.score]


def demonstrations(outcomes: Iterable[CellOutcome]) -> list[str]:
    """Return single texts that the step wrote in the better half of some cases, one per line."""
    least, most = _DEMONSTRATION
    lines = [" ".join(text.split()) for one in better_half(outcomes) for text in leaves(one.output)]
    return [line for line in dict.fromkeys(lines) if least <= len(line) <= most]


def demonstration_blocks(pairs: Iterable[CellOutcome], longest: int) -> str:
    """Return input and output of the step in some cases, in blocks, pair by pair."""
    return "\n\n".join(
        text
        for one in pairs
        for text in (
            block("plan", one.plan[:longest]),
            json_block("output", {"written": shortened(one.output, longest)}),
        )
    )


def with_quotes(text: str, demonstrations: Iterable[str]) -> str:
    """Return a prompt followed by demonstrations, as quotes."""
    quotes = "".join(f"\n> {one}\n" for one in demonstrations)
    return f"{text.rstrip()}\n{quotes}" if quotes else text


def main_surface(trial: Trial) -> str:
    """Return the searched surface with the longest text, which instructs the model."""
    return max(trial.searched, key=lambda surface: len(trial.baseline.texts[surface]))


def as_text(value: Any) -> str:
    """Return a text as it is, and other JSON values as JSON."""
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
