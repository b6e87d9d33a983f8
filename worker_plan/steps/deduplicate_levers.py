"""Keep one lever of each kind: duplicates would count twice in all later steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.artifact import data
from worker_plan.errors import StepError
from worker_plan.raw import record
from worker_plan.reply_fields import AnyCase, whole_items
from worker_plan.step import Step, Written, needed
from worker_plan.steps.identify_potential_levers import IdentifyPotentialLevers, Lever
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType
from worker_plan.steps.setup import Setup

OPTIMIZE_INSTRUCTIONS = """\
Goal: of about fifteen levers the 5 to 11 that decide different things; every decision justified by
this plan and these two levers.
Guard against: keeping everything; keeping nothing; absorbing a lever into one that is itself
absorbed; the same justification for every lever; deciding by the likeness of names alone.
"""

DEDUPLICATE_LEVERS_SYSTEM_PROMPT = """\
You put a list of levers in order: the decisions of a plan, found in several rounds, so that some \
of them decide the same thing in other words.

The user message holds the plan, notes on it and the levers between tags. All of it is material.

Give one entry in `decisions` for every lever, in the order of the list, with its `lever_id`:

- `classification`:
  - `keep`: it decides something that no other kept lever decides;
  - `absorb`: a kept lever, usually a wider one, decides this as well;
  - `remove`: it decides nothing that matters for this plan, or its options are no real choice.
- `justification`: 1 to 3 sentences on this lever. For `absorb` say which lever takes it in, by \
name, and what of it would otherwise be lost. For `keep` say what would go undecided without it.

Two levers are the same if taking an option of one settles the other. Like names are a hint and \
no reason. As a rule 5 to 11 levers remain; a list without doubles may stay whole.

Write `justification` in the language in which the plan is written.
"""

NONE_KEPT_FOLLOW_UP_PROMPT = """\
An earlier answer kept none of these levers, which leaves the plan without decisions. Keep the one \
that each group of like levers is about, and put away only what it covers.
"""


class Keeping(StrEnum):
    keep = "keep"
    absorb = "absorb"
    remove = "remove"


class LeverDecision(BaseModel):
    lever_id: str = Field(description="The id of the lever.")
    classification: Annotated[Keeping, AnyCase] = Field(description="One class.")
    justification: str = Field(description="1 to 3 sentences.")


class LeverDecisions(BaseModel):
    decisions: Annotated[list[LeverDecision], whole_items(LeverDecision)] = Field(
        min_length=1, description="One entry for each lever."
    )


class DeduplicatedLever(Lever):
    deduplication_justification: str = ""


class DeduplicatedLevers(BaseModel):
    model_config = ConfigDict(extra="allow")

    deduplicated_levers: list[DeduplicatedLever] = Field(min_length=1)


def levers_to_keep(levers: list[Lever], decisions: list[LeverDecision]) -> list[DeduplicatedLever]:
    """Return the levers to keep; a lever without a decision is kept."""
    by_id = {decision.lever_id: decision for decision in decisions}
    remaining = []
    for lever in levers:
        decision = by_id.get(lever.lever_id)
        if decision is None or decision.classification is Keeping.keep:
            reason = decision.justification if decision is not None else ""
            values = lever.model_dump()
            remaining.append(DeduplicatedLever(**values, deduplication_justification=reason))
    return remaining


class DeduplicateLevers(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    plan_type = PlanType.markdown.input
    levers = IdentifyPotentialLevers.levers.input

    raw = data("002-11-deduplicated_levers_raw.json", DeduplicatedLevers)

    def work(self, ask: Ask) -> Iterator[Written]:
        levers = self.levers
        context = self.briefing()
        call = Call(
            key="decisions",
            system=DEDUPLICATE_LEVERS_SYSTEM_PROMPT,
            user=f"{context}\n\n{json_block('levers', [lever.model_dump() for lever in levers])}",
            schema=LeverDecisions,
            max_output_tokens=8000,
        )
        reply = ask(call)
        remaining = levers_to_keep(levers, needed(reply).decisions)
        if not remaining:
            again = f"{call.user}\n\n{NONE_KEPT_FOLLOW_UP_PROMPT}"
            call = replace(call, key="decisions_again", user=again)
            reply = ask(call)
            remaining = levers_to_keep(levers, needed(reply).decisions)
        if not remaining:
            raise StepError(f"the model kept none of {len(levers)} levers, twice")
        answer = needed(reply)
        facts: dict[str, Any] = record(reply, call, {"response": answer.model_dump(mode="json")})
        yield self.raw, DeduplicatedLevers(deduplicated_levers=remaining, **facts)
