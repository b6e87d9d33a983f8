"""A llama-index LLM whose calls go through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.tools import BaseTool
from llama_index.core.tools.calling import call_tool
from pydantic import BaseModel, Field, PrivateAttr

from model_gateway.door import ExchangeEnd
from model_gateway.errors import GatewayError
from model_gateway.llama_messages import fields, plain, raw, usage, with_native_schema
from model_gateway.unnamed_calls import CallFailedError, UnnamedCall, UnnamedCalls

__all__ = ["CallFailedError", "GatewayLLM"]

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Keywords = Mapping[str, Any]

_ARGUMENTS = ("temperature", "top_p", "seed", "reasoning_effort", "stop")
_KEYWORDS = {*_ARGUMENTS, "max_tokens", "call_key"}


class _ChatMethods(LLM):
    """The four ways to chat, all by `_chat`."""

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the model's text as it came.

        Raises:
            CallFailedError: no attempt gave a text.
            DoorError: there is no gateway.
        """
        return self._chat(messages, kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Do as `chat`, in a thread."""
        return await asyncio.to_thread(self._chat, messages, kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Do as `chat`, in one piece."""
        return _piece(lambda: self._chat(messages, kwargs))

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Do as `chat`, in a thread and in one piece."""
        return _later_piece(lambda: self._chat(messages, kwargs))

    def _chat(self, messages: Sequence[ChatMessage], keywords: Keywords) -> ChatResponse:
        raise NotImplementedError


class GatewayLLM(_ChatMethods, CustomLLM):
    """A llama-index LLM behind a cell's door: `GatewayLLM()` finds it in MODEL_GATEWAY.

    Structured calls send the schema with the request; after a reply that does not fit, the model
    gets the error and another attempt, within the bound on attempts. Every call takes the keywords
    `temperature`, `top_p`, `seed`, `reasoning_effort`, `stop`, `max_tokens` and `call_key`. A call
    without `call_key` is named after its content; when it has failed, asking the same again raises
    the same error without another request.

    It counts as a function calling model, because llama-index then builds programs that pass the
    class of the reply; agents with free tool choice are not supported.
    """

    model: str = Field(default="gateway", description="A name to show; the cell's model answers.")
    context_window: int = Field(default=131_072, description="Tokens, prompt and reply together.")
    max_tokens: int = Field(default=8192, description="The bound on a reply, in tokens.")
    temperature: float | None = Field(default=None, description="Sent if it is not None.")
    door_path: Path | None = Field(
        default=None, exclude=True, description="The socket, if not that of MODEL_GATEWAY."
    )

    _calls: UnnamedCalls = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Set up the record of this LLM's calls."""
        super().model_post_init(context)
        self._calls = UnnamedCalls(self.door_path)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which llama-index serializes it."""
        return "gateway_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """What llama-index reads before a call."""
        return LLMMetadata(
            context_window=self.context_window,
            num_output=self.max_tokens,
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self.model,
        )

    @llm_completion_callback()
    def complete(self, prompt: str, *_: Any, **kwargs: Any) -> CompletionResponse:
        """Send `prompt` as a user message."""
        return self._complete(prompt, kwargs)

    @llm_completion_callback()
    async def acomplete(self, prompt: str, *_: Any, **kwargs: Any) -> CompletionResponse:
        """Do as `complete`, in a thread."""
        return await asyncio.to_thread(self._complete, prompt, kwargs)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, *_: Any, **kwargs: Any) -> CompletionResponseGen:
        """Do as `complete`, in one piece."""
        return _piece(lambda: self._complete(prompt, kwargs))

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, *_: Any, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Do as `complete`, in a thread and in one piece."""
        return _later_piece(lambda: self._complete(prompt, kwargs))

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """Return an LLM whose every reply is an `output_cls`, in `raw` of the response."""
        return _GatewayStructuredLLM(llm=self, output_cls=output_cls, **kwargs)

    def structured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Return the model's reply to the prompt as an `output_cls`.

        Raises:
            CallFailedError: no attempt gave one.
            DoorError: there is no gateway.
        """
        # A parser that another LLM's program left on the template would add the schema as text.
        bare = prompt.model_copy(update={"output_parser": None})
        messages = self._extend_messages(bare.format_messages(llm=self, **prompt_args))
        return self.parsed_chat(messages, output_cls, llm_kwargs or {})[0]

    async def astructured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Do as `structured_predict`, in a thread."""
        return await asyncio.to_thread(
            lambda: self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        )

    def stream_structured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[M, None, None]:
        """Do as `structured_predict`, in one piece."""
        yield self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)

    async def astream_structured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[M, None]:
        """Do as `structured_predict`, in a thread and in one piece."""
        return _later_piece(
            lambda: self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        )

    def predict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """Have the model fill in the arguments of the one tool, and call it.

        Raises:
            CallFailedError: no attempt gave arguments that fit.
            GatewayError: there are several tools to choose from.
        """
        schema = tools[0].metadata.fn_schema if len(tools) == 1 else None
        if schema is None:
            raise GatewayError(
                f"GatewayLLM takes one tool, which has a schema; it got {len(tools)} tools."
            )
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(
                user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(content=user_msg)
            )
        keywords = {name: value for name, value in kwargs.items() if name in _KEYWORDS}
        value, _ = self.parsed_chat(messages, schema, keywords)
        output = call_tool(tools[0], fields(value))
        return AgentChatResponse(response=output.content, sources=[output])

    async def apredict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """Do as `predict_and_call`, in a thread."""
        return await asyncio.to_thread(
            self.predict_and_call, tools, user_msg, chat_history, **kwargs
        )

    def parsed_chat(
        self, messages: Sequence[ChatMessage], schema: type[M], keywords: Keywords
    ) -> tuple[M, ExchangeEnd]:
        """Return the reply as a `schema`, and how the exchange ended.

        Raises:
            CallFailedError: no attempt gave one.
            DoorError: there is no gateway.
        """
        return self._calls.value(self._call(messages, keywords), schema)

    def _chat(self, messages: Sequence[ChatMessage], keywords: Keywords) -> ChatResponse:
        call, schema = with_native_schema(self._call(messages, keywords))
        end = self._calls.text(call, schema)
        return ChatResponse(
            message=ChatMessage(role=MessageRole.ASSISTANT, content=end.text),
            delta=end.text,
            raw=raw(end),
            additional_kwargs=usage(end),
        )

    def _complete(self, prompt: str, keywords: Keywords) -> CompletionResponse:
        # `formatted` says that a template was applied to the prompt; there is none here.
        others = {name: value for name, value in keywords.items() if name != "formatted"}
        reply = self._chat([ChatMessage(role=MessageRole.USER, content=prompt)], others)
        return CompletionResponse(
            text=reply.message.content or "",
            delta=reply.delta,
            raw=reply.raw,
            additional_kwargs=reply.additional_kwargs,
        )

    def _call(self, messages: Sequence[ChatMessage], keywords: Keywords) -> UnnamedCall:
        unknown = sorted(keywords.keys() - _KEYWORDS)
        if unknown:
            raise TypeError(
                f"GatewayLLM does not take {', '.join(unknown)}; it takes "
                f"{', '.join(sorted(_KEYWORDS))}."
            )
        values = {"temperature": self.temperature, **keywords}
        return UnnamedCall(
            messages=[plain(message) for message in messages],
            max_output_tokens=values.get("max_tokens") or self.max_tokens,
            arguments={k: values[k] for k in _ARGUMENTS if values.get(k) is not None},
            key=values.get("call_key"),
        )


class _GatewayStructuredLLM(_ChatMethods, StructuredLLM):
    """Sends the messages as they are, and keeps the usage, which the base class drops.

    The base class makes a template of them first, in which braces in a text are variables.
    """

    llm: GatewayLLM

    def _chat(self, messages: Sequence[ChatMessage], keywords: Keywords) -> ChatResponse:
        value, end = self.llm.parsed_chat(messages, self.output_cls, keywords)
        text = value.model_dump_json()
        return ChatResponse(
            message=ChatMessage(role=MessageRole.ASSISTANT, content=text),
            delta=text,
            raw=value,
            additional_kwargs=usage(end),
        )


def _piece(make: Callable[[], T]) -> Generator[T, None, None]:
    yield make()


async def _later_piece(make: Callable[[], T]) -> AsyncGenerator[T, None]:
    yield await asyncio.to_thread(make)
