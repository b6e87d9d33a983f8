"""Describe levers that were found."""

import json
from typing import Any

from llama_index.core.llms import LLM
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field

from worker_plan_internal.lever.quality import LEVER_QUALITY

ENRICH_LEVERS_PROMPT = """\
{quality}

The plan:
{plan}

For each of these levers, say in two or three sentences what hangs on it, under its very name:
{levers}"""


class LeverDescription(BaseModel):
    """What hangs on a lever."""

    name: str = Field(description="The lever's name, letter by letter.")
    description: str = Field(description="Two or three sentences.")


class LeverDescriptions(BaseModel):
    """The descriptions of a batch of levers."""

    levers: list[LeverDescription] = Field(description="One entry for each lever of the batch.")


class EnrichLevers:
    """The work on one plan, a batch of levers a call."""

    BATCH = 2

    def __init__(self, plan: str, levers: list[dict[str, Any]]) -> None:
        self.plan = plan
        self.levers = levers

    def execute(self, llm: LLM, template: str = ENRICH_LEVERS_PROMPT) -> list[dict[str, Any]]:
        """Return the descriptions of all levers."""
        described: list[dict[str, Any]] = []
        for place in range(0, len(self.levers), self.BATCH):
            names = [lever["name"] for lever in self.levers[place : place + self.BATCH]]
            reply = llm.structured_predict(
                LeverDescriptions,
                PromptTemplate(template),
                quality=LEVER_QUALITY,
                plan=self.plan,
                levers=json.dumps(names, ensure_ascii=False),
            )
            described += [lever.model_dump() for lever in reply.levers]
        return described
