"""The one place that makes clients of models."""

import os
from typing import Any

from llama_index.llms.openai_like import OpenAILike


def get_llm(name: str, **settings: Any) -> OpenAILike:
    """Return a client for the model called `name`, at the address in the environment."""
    return OpenAILike(
        model=name,
        api_base=os.environ["PLANNER_LLM_BASE_URL"],
        api_key=os.environ.get("PLANNER_LLM_API_KEY", "none"),
        is_chat_model=True,
        max_tokens=4000,
        **settings,
    )
