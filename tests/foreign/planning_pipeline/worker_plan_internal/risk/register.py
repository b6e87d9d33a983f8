"""List the risks of a plan."""

from llama_index.core.llms import LLM, ChatMessage, MessageRole
from pydantic import BaseModel, Field

from worker_plan_internal.risk.parts import PREAMBLE

BODY = """\
List three to five things that could stop this plan, and for each the first sign by which somebody \
would notice."""

RISK_REGISTER_SYSTEM_PROMPT = PREAMBLE + "\n\n" + BODY


class Risk(BaseModel):
    """One thing that could stop the plan."""

    what: str = Field(description="What would happen, in one sentence.")
    first_sign: str = Field(description="By what it would be noticed first.")


class RiskRegister(BaseModel):
    """All risks."""

    risks: list[Risk] = Field(description="The risks, the likeliest first.")


def register_risks(llm: LLM, plan: str) -> RiskRegister:
    """Ask for the risks; the client is told to offer the schema as a tool."""
    calling = llm.model_copy(update={"is_function_calling_model": True})
    reply = calling.as_structured_llm(RiskRegister).chat(
        [
            ChatMessage(role=MessageRole.SYSTEM, content=RISK_REGISTER_SYSTEM_PROMPT),
            ChatMessage(role=MessageRole.USER, content=plan),
        ]
    )
    return reply.raw
