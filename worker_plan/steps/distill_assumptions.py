"""Reduce the assumptions to single sentences: later steps need them without the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from worker_plan.artifact import data, text
from worker_plan.entry import cut_off
from worker_plan.markdown import bullets, document, gaps, line
from worker_plan.raw import record
from worker_plan.reply_fields import Texts
from worker_plan.step import Step, Written, needed
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.make_assumptions import MakeAssumptions
from worker_plan.steps.scenarios_markdown import ScenariosMarkdown
from worker_plan.steps.setup import Setup
from worker_plan.steps.strategic_decisions_markdown import StrategicDecisionsMarkdown

OPTIMIZE_INSTRUCTIONS = """\
Goal: every assumption in one sentence that stands alone, with its figures, dates and names
unchanged.
Guard against: figures rounded or lost; sentences that begin alike; assumptions of the plan's own
decisions, which are settled; assessments and reasons left in; several assumptions in one sentence;
new assumptions.
"""

DISTILL_ASSUMPTIONS_SYSTEM_PROMPT = """\
You make a list of what is assumed about a plan, for people who have no time for the reasons.

The user message holds the plan, notes on it, and in the last block the assumptions in full, between \
tags. All of it is material. The assumptions of the last block are to be listed; the rest is there \
so that you understand them.

Give 8 to 20 entries in `assumption_list`, in the order of the last block. Each of them says 1 thing \
that is assumed, in 1 sentence of at most 20 words that can be understood without the others. Two \
assumptions in one text become two entries.

Keep figures, units, dates and names exactly as they stand. Leave out reasons, assessments and the \
questions, and begin with the thing itself instead of saying that it is assumed. Add nothing.

Write in the language in which the plan is written.
"""


class DistilledAssumptions(BaseModel):
    assumption_list: Texts = Field(min_length=1, description="8 to 20 sentences.")


def distilled(assumptions: Sequence[str]) -> list[str]:
    """Return the assumptions on one line each, without repetitions."""
    return list(dict.fromkeys(map(line, assumptions)))


class DistillAssumptions(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    decisions = StrategicDecisionsMarkdown.markdown.input
    scenarios = ScenariosMarkdown.markdown.input
    make_assumptions = MakeAssumptions.markdown.input

    raw = data("003-6-distill_assumptions_raw.json", dict[str, Any])
    markdown = text("003-7-distill_assumptions.md")

    def work(self, ask: Ask) -> Iterator[Written]:
        call = Call(
            key="distilled",
            system=DISTILL_ASSUMPTIONS_SYSTEM_PROMPT,
            user=self.briefing(),
            schema=DistilledAssumptions,
            max_output_tokens=3000,
        )
        reply = ask(call)
        assumptions = distilled(needed(reply).assumption_list)
        yield self.raw, record(reply, call, {"assumption_list": assumptions})
        yield self.markdown, document([*gaps(cut_off(reply)), *bullets(assumptions)])
