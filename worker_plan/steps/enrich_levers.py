"""Describe each remaining lever, and which others it supports or conflicts with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.artifact import data
from worker_plan.errors import StepError
from worker_plan.raw import metadata
from worker_plan.reply_fields import whole_items
from worker_plan.shapes import batches, each
from worker_plan.step import Step, Written
from worker_plan.steps.deduplicate_levers import DeduplicatedLever, DeduplicateLevers
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType
from worker_plan.steps.setup import Setup

OPTIMIZE_INSTRUCTIONS = """\
Goal: for each lever a description that somebody new to the plan can work with, and the one or two
other levers with which it pulls together or apart, named as they are called in the list.
Guard against: retelling the options; naming levers that are not in the list; synergy and conflict
that say the same; every description opening alike; losing levers of a batch.
"""

ENRICH_LEVERS_SYSTEM_PROMPT = """\
You explain the levers of a plan to people who will have to choose between their options.

The user message holds the plan, notes on it, the names of all its levers, and in the last block \
the levers to explain, between tags. All of it is material.

Give one entry in `characterizations` for each lever of the last block, with its `lever_id`:

- `description`: what is controlled here, who would control it, and by what one would see \
afterwards that the choice was right; 3 to 5 sentences.
- `synergy_text`: with which 1 or 2 other levers it pulls in the same direction and how, in 2 or 3 \
sentences.
- `conflict_text`: with which 1 or 2 other levers it gets in the way and what must then give, in 2 \
or 3 sentences.

Call other levers by their names in the list. Do not repeat the options; the reader has them.

Write in the language in which the plan is written.
"""

BATCH = 5


class Characterization(BaseModel):
    lever_id: str = Field(description="The id of the lever.")
    description: str = Field(description="3 to 5 sentences.")
    synergy_text: str = Field(description="2 or 3 sentences.")
    conflict_text: str = Field(description="2 or 3 sentences.")


class Characterizations(BaseModel):
    characterizations: Annotated[list[Characterization], whole_items(Characterization)] = Field(
        min_length=1, description="One entry for each lever of the last block."
    )


class EnrichedLever(DeduplicatedLever):
    description: str
    synergy_text: str
    conflict_text: str


class EnrichedLevers(BaseModel):
    model_config = ConfigDict(extra="allow")

    characterized_levers: list[EnrichedLever] = Field(min_length=1)


def joined(
    levers: list[DeduplicatedLever], characterizations: list[Characterization]
) -> list[EnrichedLever]:
    """Return the levers that were explained, in their order, each with its explanation."""
    by_id = {one.lever_id: one for one in characterizations}
    return [
        EnrichedLever(**{**lever.model_dump(), **by_id[lever.lever_id].model_dump()})
        for lever in levers
        if lever.lever_id in by_id
    ]


class EnrichLevers(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    plan_type = PlanType.markdown.input
    deduplicated = DeduplicateLevers.raw.input

    raw = data("002-12-enriched_levers_raw.json", EnrichedLevers)

    def work(self, ask: Ask) -> Iterator[Written]:
        levers = self.deduplicated.deduplicated_levers
        context = self.briefing()
        names = json_block("all_levers", [lever.name for lever in levers])
        calls = [
            Call(
                key=f"batch_{number}",
                system=ENRICH_LEVERS_SYSTEM_PROMPT,
                user=f"{context}\n\n{names}\n\n{json_block('levers', _shown(batch))}",
                schema=Characterizations,
                max_output_tokens=6000,
            )
            for number, batch in enumerate(batches(levers, BATCH), start=1)
        ]
        replies = each(ask, calls)
        explained = [
            one for r in replies if r.value is not None for one in r.value.characterizations
        ]
        enriched = joined(levers, explained)
        if not enriched:
            raise StepError(f"none of {len(levers)} levers was explained: {replies[0].failure}")
        lost = [lever for lever in levers if lever.lever_id not in _ids(enriched)]
        facts: dict[str, Any] = {
            "metadata": [metadata(reply) for reply in replies],
            "not_characterized": [lever.lever_id for lever in lost],
            "not_characterized_names": [lever.name for lever in lost],
            "system_prompt": ENRICH_LEVERS_SYSTEM_PROMPT,
            "user_prompt": context,
        }
        yield self.raw, EnrichedLevers(characterized_levers=enriched, **facts)


def _shown(levers: list[DeduplicatedLever]) -> list[dict[str, Any]]:
    return [lever.model_dump(exclude={"deduplication_justification"}) for lever in levers]


def _ids(levers: list[EnrichedLever]) -> set[str]:
    return {lever.lever_id for lever in levers}
