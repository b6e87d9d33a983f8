"""Look for the assumption on which a plan rests."""

from dataclasses import dataclass

from llama_index.core.llms import LLM, ChatMessage, MessageRole

PREMISE_PREAMBLE = """\
What follows is somebody's idea. Find the one assumption without which it falls, and say in a \
short paragraph how it could be tested within a week."""


@dataclass(frozen=True)
class PremiseReview:
    """The review of a premise."""

    text: str

    @classmethod
    def execute(cls, llm: LLM, plan: str) -> "PremiseReview":
        """Ask in plain chat: the instructions come from the user, and the reply is prose."""
        reply = llm.chat(
            [
                ChatMessage(role=MessageRole.USER, content=PREMISE_PREAMBLE),
                ChatMessage(role=MessageRole.USER, content=plan),
            ]
        )
        return cls(text=reply.message.content or "")

    def to_markdown(self) -> str:
        """Return the review as a page."""
        return f"# Premise\n\n{self.text}\n"
