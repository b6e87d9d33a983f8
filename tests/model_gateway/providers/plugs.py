"""llama-index LLM classes such as users bring along."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback


class SyncOnly(CustomLLM):
    """Asks a server of the Ollama format, and can only do so while its thread waits."""

    url: str
    model_name: str
    marker: str = "none"

    @property
    def metadata(self) -> LLMMetadata:
        """Say which model this is."""
        return LLMMetadata(model_name=self.model_name)

    @llm_completion_callback()
    def complete(self, prompt: str, *args: Any, **kwargs: Any) -> CompletionResponse:
        """Ask the server."""
        kwargs.pop("formatted", None)
        body = {
            "model": self.model_name, "marker": self.marker, **kwargs,
            "messages": [{"role": "user", "content": prompt}],
        }  # fmt: skip
        reply = httpx.post(f"{self.url}/api/chat", json=body, timeout=60)
        reply.raise_for_status()
        raw = reply.json()
        return CompletionResponse(text=raw["message"]["content"], raw=raw)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, *args: Any, **kwargs: Any) -> CompletionResponseGen:
        """Not needed here."""
        raise NotImplementedError


class Sleepy(SyncOnly):
    """Takes its time and cannot be interrupted."""

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Sleep, then fail."""
        time.sleep(10)
        raise ValueError("too late")


class WithoutAsync(SyncOnly):
    """Has an asynchronous side that only says it has none."""

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Say so."""
        raise NotImplementedError


class Counting(SyncOnly):
    """Reports its usage only where llama-index classes of the OpenAI family do."""

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer with counts in the additional arguments and nothing raw."""
        return ChatResponse(
            message=ChatMessage(role="assistant", content='{"name": "fig", "seeds": []}'),
            additional_kwargs={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        )


NOT_A_CLASS = "text"
