"""Say which levers to drop."""

import json
from enum import StrEnum
from typing import Any

from llama_index.core.llms import LLM, ChatMessage, MessageRole
from pydantic import BaseModel, Field


class Verdict(StrEnum):
    """What becomes of a lever."""

    KEEP = "keep"
    DROP = "drop"


class ScreenedLever(BaseModel):
    """The verdict on one lever."""

    name: str = Field(description="The lever's name.")
    verdict: Verdict = Field(description="Keep it or drop it.")
    reason: str = Field(description="Why, in one sentence about this lever.")


class Screening(BaseModel):
    """The verdicts on all levers."""

    levers: list[ScreenedLever] = Field(description="One verdict for each lever.")


class Screener:
    """Holds its prompt as an attribute of the class."""

    SYSTEM_PROMPT = """\
Two levers that decide the same thing are one too many. Go through the list and drop whatever \
another one already covers, and keep the one that is worded more plainly."""


SCREENING_REMINDER = "Judge every lever of the list, and add none."


def screen(llm: LLM, levers: list[dict[str, Any]], reminder: str = SCREENING_REMINDER) -> Screening:
    """Judge `levers`; the client is told to let the server hold the model to the schema."""
    native = llm.model_copy(update={"should_use_structured_outputs": True})
    reply = native.as_structured_llm(Screening).chat(
        [
            ChatMessage(role=MessageRole.SYSTEM, content=Screener.SYSTEM_PROMPT),
            ChatMessage(role=MessageRole.USER, content=json.dumps(levers, ensure_ascii=False)),
            ChatMessage(role=MessageRole.USER, content=reminder),
        ]
    )
    return reply.raw
