"""Candidates from the directions of a step's latest synthesis: as texts here, as code elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis import prepare_iteration
from analysis.replies import Direction, DirectionKind
from model_gateway.call import Call
from model_gateway.foreign_files import read_json_object
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


@dataclass(frozen=True, kw_only=True)
class NumberedDirection:
    """A direction and its number in the synthesis, from 1."""

    number: int
    direction: Direction

    @property
    def needs_code(self) -> bool:
        """Whether no text can express it."""
        return self.direction.kind is DirectionKind.code


def latest(layout: Layout, step: str) -> tuple[Path, list[NumberedDirection]]:
    """Return the page of the step's latest synthesis, and its directions.

    Raises:
        UsageError: there is none.
    """
    page = prepare_iteration.latest_synthesis(layout, step)
    if page is None:
        raise UsageError(f"{step} has no synthesis yet. Run an iteration with --analyse always.")
    answer = read_json_object(page.with_suffix(".json")).get("answer") or {}
    rows = enumerate(answer.get("directions", []), start=1)
    return page, [
        NumberedDirection(number=n, direction=Direction.model_validate(row)) for n, row in rows
    ]


def code_directions(request: IterationRequest) -> list[Facts]:
    """Return the directions that need code, as rows for the implement phase, if it is to run.

    Raises:
        UsageError: there is no synthesis.
        ConfigError, AnalysisError: no implementer is available.
    """
    if not request.from_synthesis or request.skip_implement:
        return []
    rows = [
        {"number": one.number, "direction": one.direction.model_dump(mode="json")}
        for one in latest(request.layout, request.step)[1]
        if one.needs_code
    ]
    if rows:
        choice.require_one(request)
    return rows


async def text_drafts(request: IterationRequest, search: Search) -> list[Draft]:
    """Return a draft for each direction that the proposer could write as a text.

    Directions that need code are only noted in the log; the implement phase takes them.

    Raises:
        UsageError: there is no synthesis.
        NothingProposed: no direction could be written as a text.
    """
    page, directions = latest(request.layout, request.step)
    drafts = []
    for one in directions:
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
        variant = (await search.ask("direction", call)).value
        if variant is None:
            continue
        proposal = proposer_calls.admit(search, variant, [search.baseline], "synthesis")
        if proposal is not None:
            baseline = search.baseline.texts
            texts = {s: text for s, text in proposal.texts.items() if text != baseline[s]}
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
