"""Find the levers of a plan."""

from llama_index.core.llms import LLM, ChatMessage, MessageRole
from pydantic import BaseModel, Field

from worker_plan_internal.lever.quality import LEVER_QUALITY

OPTIMIZE_INSTRUCTIONS = """\
Goal: few levers that differ, each one a true choice. Guard against: options that nobody would take.
"""

FIND_LEVERS_SYSTEM_PROMPT = """\
You read a plan and look for its levers: the points at which somebody could still decide otherwise \
and much would come out differently. Four to six levers are enough. Pass over what is settled."""


class LeverOption(BaseModel):
    """One way to decide."""

    label: str = Field(description="The decision in at most eight words.")
    price: str = Field(description="What is given up by deciding so, in one sentence.")


class PotentialLever(BaseModel):
    """A point at which somebody could decide otherwise."""

    name: str = Field(description="What is decided, as a short noun phrase.")
    options: list[LeverOption] = Field(description="Two to four ways to decide.")


class PotentialLevers(BaseModel):
    """All levers of a plan."""

    levers: list[PotentialLever] = Field(description="The levers, the weightiest first.")
    left_out: str | None = Field(default=None, description='What was passed over as "settled".')


class FindLevers:
    """The search."""

    @classmethod
    def execute(cls, llm: LLM, plan: str) -> PotentialLevers:
        """Ask for the levers of `plan`; the integration sends the schema along as text."""
        structured = llm.as_structured_llm(PotentialLevers)
        system = f"{FIND_LEVERS_SYSTEM_PROMPT.strip()}\n\n{LEVER_QUALITY}"
        reply = structured.chat(
            [
                ChatMessage(role=MessageRole.SYSTEM, content=system),
                ChatMessage(role=MessageRole.USER, content=plan),
            ]
        )
        return reply.raw
