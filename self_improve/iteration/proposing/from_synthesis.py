"""TODO docstring."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis import prepare_iteration
from analysis.replies import Direction, DirectionKind
from model_gateway.call import Call
from model_gateway.material import json_block
from prompt_lab.layout import Layout
from self_improve import prompts
from self_improve.errors import UsageError
from self_improve.iteration.drafts import Draft, NothingProposed, of_texts
from self_improve.iteration.folder import Facts
from self_improve.iteration.implementing import choice
from self_improve.iteration.request import IterationRequest
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import REPLY_TOKENS, Variant
from self_improve.search.search import Search


def needed(request: IterationRequest) -> list[Facts]:
    """Return the directions of the latest synthesis that need code, if they are to be tried.

    Raises:
        UsageError: there is no synthesis.
        ConfigError, AnalysisError: nobody can write it.
    """
    if not request.from_synthesis or request.skip_implement:
        return []
    _, found = latest(request.layout, request.step)
    wanted = [
        {"number": one.number, "direction": one.direction.model_dump(mode="json")}
        for one in found
        if one.needs_code
    ]
    if wanted:
        choice.require_one(request)
    return wanted


async def _from_synthesis(request: IterationRequest, search: Search) -> list[Draft]:
    """Have each direction of the latest synthesis written as a text.

    Directions that need code are left to the phase that has an agent write it; they are named here.
    """
    page, found = latest(request.layout, request.step)
    drafts = []
    for one in found:
        number, direction = one.number, one.direction
        if one.needs_code:
            search.note(f"direction {number} needs code: {direction.title}")
            continue
        call = Call(
            key=f"direction_{number}",
            system=prompts.read("direction"),
            user="\n\n".join(
                [
                    proposer_calls.aims(search),
                    proposer_calls.prompt_blocks(search, search.baseline),
                    json_block("direction", direction),
                ]
            ),
            schema=Variant,
            max_output_tokens=REPLY_TOKENS,
        )
        reply = await search.ask("direction", call)
        made = (
            proposer_calls.admit(search, reply.value, [search.baseline], "synthesis")
            if reply.value is not None
            else None
        )
        if made is not None:
            texts = {s: t for s, t in made.texts.items() if t != search.baseline.texts[s]}
            drafts.append(
                of_texts(
                    request.step, texts, origin="synthesis", change=direction.title,
                    rationale=direction.why, expectations=request.expectations,
                )
            )  # fmt: skip
    if not drafts:
        raise NothingProposed(
            f"No direction of {page.name} could be written as a text; see search.jsonl."
        )
    return drafts


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A direction and its number in the synthesis, from 1."""

    number: int
    direction: Direction

    @property
    def needs_code(self) -> bool:
        """Whether no text can express it."""
        return self.direction.kind is DirectionKind.code


def latest(layout: Layout, step: str) -> tuple[Path, list[Numbered]]:
    """Return the page of the step's latest synthesis, and its directions.

    Raises:
        UsageError: there is none.
    """
    page = prepare_iteration.latest_synthesis(layout, step)
    if page is None:
        raise UsageError(f"{step} has no synthesis yet. Run an iteration with --analyse always.")
    answer = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["answer"] or {}
    rows = enumerate(answer.get("directions", []), start=1)
    return page, [Numbered(number=n, direction=Direction.model_validate(row)) for n, row in rows]
