"""Reads replies in the three wire formats without importing any SDK."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WrapValidator

from model_gateway.attempt import Message
from model_gateway.call import FailureKind
from model_gateway.provider import Answer, ProviderError
from model_gateway.replies import Mend
from model_gateway.reply_fields import is_reasoning, reasoning_in, text_of
from model_gateway.visible import sound
from model_gateway.wire_usage import (
    CompletionUsage,
    Count,
    MessageUsage,
    TokenCounts,
    WireModel,
    or_none,
)

_FINISH = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
}
_CALLS = {"tool_calls", "function_call"}


def sendable(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with texts that can be sent."""
    return [{**message, "content": sound(message["content"])} for message in messages]


_Text = Annotated[str, BeforeValidator(lambda v: sound(v) if isinstance(v, str) else v)]
_Name = Annotated[_Text | None, WrapValidator(or_none)]
_Fault = Annotated[dict[str, Any] | None, WrapValidator(or_none)]


class _Part(WireModel):
    type: Any = None
    text: _Text | None = None
    thinking: Any = None
    thought: Any = None

    @property
    def is_reasoning(self) -> bool:
        return is_reasoning(self.type, thought=self.thought)


class _Function(WireModel):
    arguments: _Text | dict[str, Any] | list[Any] = ""


class _ToolCall(WireModel):
    function: _Function | None = None


class _SaidMessage(WireModel):
    """The message in a reply of the OpenAI or the Ollama format."""

    content: _Text | list[_Part] | None = None
    refusal: _Text | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: Annotated[_Function | None, WrapValidator(or_none)] = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_text: Any = None
    reasoning_details: Any = None
    thinking: Any = None
    thinking_blocks: Any = None
    thoughts: Any = None

    def answer(self) -> Answer:
        """Return the text, or a tool call's arguments; and what was thought before it."""
        parts = self.content if isinstance(self.content, list) else []
        text = self.content if isinstance(self.content, str) else ""
        text = text or _joined(part.text for part in parts if not part.is_reasoning)
        mended: list[str] = []
        called = [c.function for c in self.tool_calls or ()] or [self.function_call]
        arguments = [function.arguments for function in called if function]
        if not text.strip() and arguments:
            text = _joined(a if isinstance(a, str) else _json_of(a) for a in arguments)
            if not all(isinstance(a, str) for a in arguments):
                mended.append(Mend.arguments_as_object)
        thoughts = "".join(text_of(p.thinking or p.text) for p in parts if p.is_reasoning)
        reasoning = reasoning_in(vars(self)) or (("content", thoughts) if thoughts else None)
        return Answer(
            text=text,
            mended=mended,
            reasoning_field=reasoning and reasoning[0],
            reasoning=reasoning and sound(reasoning[1]),
        )


class _Choice(WireModel):
    message: _SaidMessage = Field(default_factory=_SaidMessage)
    finish_reason: _Name = None
    error: _Fault = None


class Completion(WireModel):
    """A reply of the OpenAI chat completions format."""

    choices: list[_Choice] = Field(default_factory=list)
    usage: Annotated[CompletionUsage | None, WrapValidator(or_none)] = None
    model: _Name = None
    error: _Fault = None

    @property
    def fault(self) -> dict[str, Any] | None:
        """The error that a router reports in spite of a success status."""
        return self.error or (self.choices[0].error if self.choices else None)

    def answer(self) -> Answer:
        """Return the first choice; a refusal's words, or a tool call's arguments, as text.

        Raises:
            ProviderError: there is no choice.
        """
        if not self.choices:
            raise undecodable("choices is empty")
        choice = self.choices[0]
        said, finish = choice.message.answer(), _normal(choice.finish_reason)
        if choice.message.refusal:
            said, finish = replace(said, text=choice.message.refusal), "refusal"
        usage = self.usage or CompletionUsage()
        return replace(
            _counted(said, usage.counts),
            finish_reason="stop" if finish in _CALLS and said.text else finish,
            cost=usage.dollars,
            model_id=self.model,
        )


class _Block(WireModel):
    type: str
    text: _Text | None = None
    input: Any = None
    thinking: Any = None


class AnthropicMessage(WireModel):
    """A reply of the Anthropic messages format."""

    content: list[_Block]
    stop_reason: _Name = None
    usage: Annotated[MessageUsage | None, WrapValidator(or_none)] = None
    model: _Name = None

    def answer(self) -> Answer:
        """Return the arguments of the tool call, if one was forced, else the text blocks."""
        text = _joined(b.text for b in self.content if b.type == "text")
        finish = _normal(self.stop_reason)
        inputs = [b.input for b in self.content if b.type == "tool_use"]
        if inputs:
            text = inputs[0] if isinstance(inputs[0], str) else _json_of(inputs[0])
            finish = "stop" if finish == "tool_use" else finish
        thoughts = [text_of(b.thinking or b.text) for b in self.content if is_reasoning(b.type)]
        usage = self.usage or MessageUsage()
        said = Answer(
            text=sound(text),
            reasoning_field="thinking" if any(thoughts) else None,
            reasoning=sound("".join(thoughts)) if any(thoughts) else None,
        )
        return replace(
            _counted(said, usage.counts),
            finish_reason=finish,
            cost=usage.cost,
            model_id=self.model,
        )


class OllamaChat(WireModel):
    """A reply of the Ollama chat format, which counts thinking as output, not separately."""

    message: _SaidMessage
    done: Any = None
    done_reason: _Name = None
    prompt_eval_count: Count = None
    eval_count: Count = None
    model: _Name = None

    def answer(self) -> Answer:
        """Return the message's text.

        Raises:
            ProviderError: the server says that more was to come.
        """
        if self.done is False:
            raise undecodable("it says that it is not done")
        return replace(
            self.message.answer(),
            finish_reason=_normal(self.done_reason),
            input_tokens=self.prompt_eval_count,
            output_tokens=self.eval_count,
            model_id=self.model,
        )


Shape = Completion | AnthropicMessage | OllamaChat


def undecodable(why: str) -> ProviderError:
    """Return the failure of a complete reply that cannot be read."""
    message = f"the server's reply could not be read: {why}"
    return ProviderError(FailureKind.connection, message, billed=True)


def _json_of(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise undecodable("its JSON is nested too deeply") from error


def _normal(finish: str | None) -> str | None:
    return None if finish is None else _FINISH.get(finish, finish)


def _joined(parts: Any) -> str:
    return "".join(part for part in parts if part)


def _counted(answer: Answer, counts: TokenCounts) -> Answer:
    return replace(
        answer,
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        thinking_tokens=counts.thinking,
        cached_input_tokens=counts.cached,
        cache_write_tokens=counts.written,
    )
