"""Where servers put a reply and its reasoning, in the three wire formats, through the real SDKs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from model_gateway.call import FailureKind
from model_gateway.large_replies import simplified
from model_gateway.replies import Mend
from model_gateway.wire_bodies import json_value, read_answer, read_value
from model_gateway.wire_replies import AnthropicMessage, Completion, OllamaChat
from tests.model_gateway.conftest import Fruit
from tests.model_gateway.providers.conftest import CALL, FORMATS, GOOD, Ask, entry
from tests.wire import Raw, Say, WireServer

FIG = Fruit(name="fig", seeds=[1, 2])
DRAFT = '{"name": "plum", "seeds": []}'
IN_REASONING = {"reply_in_reasoning": True}


def completion(message: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """Return a reply of the OpenAI format."""
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage, **more}


def claude(*content: Any, stop: str = "end_turn") -> dict[str, Any]:
    """Return a reply of the Anthropic format."""
    usage = {"input_tokens": 11, "output_tokens": 7}
    return {"model": "m", "content": list(content), "stop_reason": stop, "usage": usage}


def chat(message: Any, reason: str = "stop") -> dict[str, Any]:
    """Return a reply of Ollama."""
    counts = {"prompt_eval_count": 11, "eval_count": 7}
    return {"message": message, "done": True, "done_reason": reason, **counts}


def raw(body: Any) -> Raw:
    """Return a server's reply with this body."""
    return Raw(body=body if isinstance(body, bytes) else json.dumps(body).encode())


def thought(text: str, answer: str, *, reason: str = "stop") -> dict[str, dict[str, Any]]:
    """Return the same reply in each format: reasoning in its own field, and a text."""
    blocks = [{"type": "thinking", "thinking": text, "signature": "s"}]
    said = [{"type": "text", "text": answer}] if answer else []
    return {
        "openai": completion({"content": answer or None, "reasoning_content": text}, reason),
        "anthropic": claude(*blocks, *said, stop=reason),
        "ollama": chat({"content": answer, "thinking": text}, reason),
    }


@pytest.mark.parametrize("wire", FORMATS)
def test_reasoning_in_a_field_of_its_own_is_passed_over(wire: str, ask: Ask) -> None:
    """The text counts, and the reasoning is not recorded as a part of it."""
    with WireServer(wire, raw(thought(DRAFT, GOOD)[wire])) as server:
        asked = ask(entry(wire, server, options=IN_REASONING))
    assert asked.reply.value == FIG
    assert (asked.row.text, asked.row.reasoning, asked.row.mended) == (GOOD, None, [])


@pytest.mark.parametrize("wire", FORMATS)
def test_value_in_the_reasoning_field_is_taken_where_the_entry_allows_it(
    wire: str, ask: Ask
) -> None:
    """Without the option the failure says where the value is; with it the reply is marked."""
    with WireServer(wire, raw(thought(GOOD, "")[wire])) as server:
        refused = ask(entry(wire, server, max_attempts=1))
        taken = ask(entry(wire, server, options=IN_REASONING))
    assert refused.row.failure_kind is FailureKind.empty
    assert "reply_in_reasoning = true" in (refused.row.failure_message or "")
    assert (refused.row.text, refused.row.reasoning) == ("", GOOD)
    assert taken.reply.value == FIG
    assert taken.reply.mended == ()
    assert taken.row.mended == [Mend.reasoning_field]


@pytest.mark.parametrize("wire", FORMATS)
def test_limit_reached_inside_the_reasoning_is_truncation(wire: str, ask: Ask) -> None:
    """A reply that only thought until its limit is truncated, whatever draft it holds."""
    reason = "max_tokens" if wire == "anthropic" else "length"
    with WireServer(wire, raw(thought(f"Say {DRAFT}, or", "", reason=reason)[wire])) as server:
        asked = ask(entry(wire, server, max_attempts=1))
        taken = ask(entry(wire, server, max_attempts=1, options=IN_REASONING))
    assert asked.row.failure_kind is FailureKind.truncated
    assert "thinking_tokens" in (asked.row.failure_message or "")
    assert taken.row.failure_kind is None or taken.row.failure_kind is FailureKind.truncated


@pytest.mark.parametrize("wire", FORMATS)
def test_draft_in_the_text_is_not_the_value(wire: str, ask: Ask) -> None:
    """Reasoning between tags is set aside in each format."""
    with WireServer(wire, f"<think>First\n{DRAFT}\nno.</think>\n{GOOD}") as server:
        asked = ask(entry(wire, server))
    assert asked.reply.value == FIG
    assert len(asked.attempts) == 1


@pytest.mark.parametrize(
    ("message", "reasoning"),
    [
        ({"content": "", "reasoning": "hm"}, "hm"),
        ({"content": "", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "hm"),
        ({"content": "", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}, "hm"),
        ({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}]}, "hm"),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": ""}]}, "hm"),
        ({"content": [{"text": "hm", "thought": True}]}, "hm"),
        ({"content": None, "reasoning": None, "reasoning_content": 3}, None),
    ],
)
def test_reasoning_has_many_fields(message: dict[str, Any], reasoning: str | None) -> None:
    """Whatever a server calls it, it does not belong to the text."""
    answer = read_answer(json.dumps(completion(message)).encode(), Completion)
    assert (answer.text, answer.reasoning) == ("", reasoning)


def test_text_parts_beside_reasoning_are_the_text() -> None:
    """A list of parts is joined without its reasoning."""
    parts = [{"type": "thinking", "thinking": DRAFT}, {"type": "text", "text": GOOD}]
    body = json.dumps(completion({"content": parts})).encode()
    assert read_answer(body, Completion).text == GOOD


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("openai", completion({"content": None, "tool_calls": [
            {"function": {"name": "reply", "arguments": FIG.model_dump()}}]}, "tool_calls")),
        ("ollama", chat({"content": "", "tool_calls": [
            {"function": {"name": "reply", "arguments": FIG.model_dump()}}]})),
        ("openai", completion({"content": None, "function_call": {
            "name": "reply", "arguments": FIG.model_dump()}}, "function_call")),
    ],
)  # fmt: skip
def test_arguments_of_a_tool_call_may_be_an_object(wire: str, body: Any, ask: Ask) -> None:
    """A server that does not write them as text is understood, and that is marked."""
    with WireServer(wire, raw(body)) as server:
        asked = ask(entry(wire, server))
    assert asked.reply.value == FIG
    assert asked.row.mended == [Mend.arguments_as_object]
    assert asked.row.finish_reason == "stop"


def test_arguments_of_a_tool_call_may_be_a_text(ask: Ask) -> None:
    """The opposite in Anthropic's format: the input comes as JSON in a string."""
    block = {"type": "tool_use", "id": "t", "name": "reply", "input": GOOD}
    with WireServer("anthropic", raw(claude(block, stop="tool_use"))) as server:
        asked = ask(entry("anthropic", server, options={"structured_tool": True}))
    assert asked.reply.value == FIG


def sse(*events: Any, mark: str = "data: ") -> bytes:
    """Return server-sent events."""
    lines = [e if isinstance(e, str) else mark + json.dumps(e) for e in events]
    return "\n\n".join(lines).encode() + b"\n\n"


def pieces(text: str) -> list[str]:
    """Return a text in pieces."""
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return one chunk of a chat completion."""
    return {"model": "m-1-served", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}], **more}  # fmt: skip


OPENAI_STREAM = [
    ": the server is busy",
    chunk({"role": "assistant", "content": ""}),
    *(chunk({"reasoning_content": piece}) for piece in pieces(DRAFT)),
    *(chunk({"content": piece}) for piece in pieces(GOOD)),
    chunk({}, "stop"),
    {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}},
    "data: [DONE]",
]
ANTHROPIC_STREAM = [
    {"type": "message_start", "message": {"model": "m-1-served", "usage": {"input_tokens": 11}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    {"type": "content_block_delta", "index": 0, "delta": {"thinking": DRAFT}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    'event: ping\ndata: {"type": "ping"}',
    *({"type": "content_block_delta", "index": 1, "delta": {"text": piece}}
      for piece in pieces(GOOD)),
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]  # fmt: skip
OLLAMA_STREAM = [
    *({"model": "m-1-served", "message": {"content": "", "thinking": p}, "done": False}
      for p in pieces(DRAFT)),
    *({"model": "m-1-served", "message": {"content": p}, "done": False} for p in pieces(GOOD)),
    {"model": "m-1-served", "message": {"content": ""}, "done": True, "done_reason": "stop",
     "prompt_eval_count": 11, "eval_count": 7},
]  # fmt: skip
STREAMS: dict[str, Callable[[list[Any]], bytes]] = {
    "openai": lambda events: sse(*events),
    "anthropic": lambda events: sse(*events),
    "ollama": lambda events: b"\n".join(json.dumps(event).encode() for event in events),
}
ENDS = {"openai": 3, "anthropic": 2, "ollama": 1}
EVENTS = {"openai": OPENAI_STREAM, "anthropic": ANTHROPIC_STREAM, "ollama": OLLAMA_STREAM}


@pytest.mark.parametrize("wire", FORMATS)
def test_stream_that_nobody_asked_for_is_joined(wire: str, ask: Ask) -> None:
    """Text, reasoning, tokens and the reason of the end come out as from a whole reply."""
    with WireServer(wire, raw(STREAMS[wire](EVENTS[wire]))) as server:
        asked = ask(entry(wire, server))
    row = asked.row
    assert asked.reply.value == FIG
    assert row.mended == [Mend.event_stream]
    assert (row.text, row.finish_reason, row.reported_model) == (GOOD, "stop", "m-1-served")
    assert (row.input_tokens, row.output_tokens) == (11, 7)


@pytest.mark.parametrize("wire", FORMATS)
def test_stream_without_its_end_is_a_broken_exchange(wire: str, ask: Ask) -> None:
    """What came until then does not count, even if its JSON is whole; it may have been billed."""
    events = EVENTS[wire][: -ENDS[wire]]
    broken = STREAMS[wire](events) + b'\ndata: {"cho'
    with WireServer(wire, raw(broken)) as server:
        asked = ask(entry(wire, server, max_attempts=1))
    assert asked.row.failure_kind is FailureKind.connection
    assert asked.row.cost is None


@pytest.mark.parametrize("wire", FORMATS)
def test_error_after_a_part_of_a_stream_may_have_been_billed(wire: str, ask: Ask) -> None:
    """The reservation stands where text came before the error, and only there."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    costs = []
    for events in (EVENTS[wire][: -ENDS[wire]], []):
        with WireServer(wire, raw(STREAMS[wire]([*events, error]) + b"\n\n")) as server:
            row = ask(entry(wire, server, max_attempts=1)).row
        assert row.failure_kind is FailureKind.server
        costs.append(row.cost)
    assert costs == [None, 0.0]


@pytest.mark.parametrize(
    ("wire", "body", "kind"),
    [
        ("openai", completion({"content": GOOD[:-9]}, "error"), FailureKind.server),
        ("ollama", chat({"content": ""}, "load"), FailureKind.server),
        ("ollama", {**chat({"content": GOOD[:-9]}), "done": False}, FailureKind.connection),
    ],
)
def test_reply_that_a_server_broke_off_is_not_the_prompts(
    wire: str, body: Any, kind: FailureKind, ask: Ask
) -> None:
    """What the server says of its own trouble counts more than the text that breaks off."""
    with WireServer(wire, raw(body)) as server:
        assert ask(entry(wire, server, max_attempts=1)).row.failure_kind is kind


def test_streamed_tool_call_and_error() -> None:
    """Arguments in pieces are put together; an error in a stream is the server's failure."""
    calls = [{"index": 0, "function": {"arguments": piece}} for piece in pieces(GOOD)]
    stream = sse(*(chunk({"tool_calls": [call]}) for call in calls), chunk({}, "tool_calls"))
    answer = read_answer(stream, Completion)
    assert (answer.text, answer.finish_reason) == (GOOD, "stop")
    inputs = [{"type": "content_block_delta", "index": 0, "delta": {"partial_json": piece}}
              for piece in pieces(GOOD)]  # fmt: skip
    block = {"type": "tool_use", "id": "t", "name": "reply", "input": {}}
    begin = {"type": "content_block_start", "index": 0, "content_block": block}
    assert read_answer(sse(begin, *inputs, {"type": "message_stop"}), AnthropicMessage).text == GOOD
    failed = sse(chunk({"content": "x"}), {"error": {"message": "no", "code": 502}})
    fault = read_value(json_value(failed, Completion), Completion).fault
    assert fault == {"message": "no", "code": 502}


@pytest.mark.parametrize("wire", FORMATS)
def test_reply_read_elsewhere_keeps_what_counts(wire: str) -> None:
    """A reply of very many parts comes back with its reasoning, tokens and what was mended."""
    shapes = {"openai": Completion, "anthropic": AnthropicMessage, "ollama": OllamaChat}
    shape: Any = shapes[wire]
    stream = STREAMS[wire](EVENTS[wire])
    padding = b": " + b"," * 300_000 + b"\n\n"
    plain = asyncio.run(simplified(padding + stream, wire))
    assert len(plain) < 1_000
    assert read_answer(plain, shape) == read_answer(stream, shape)


@pytest.mark.parametrize("wire", FORMATS)
def test_system_message_is_folded_where_a_server_has_no_such_role(wire: str, ask: Ask) -> None:
    """The first message of the user begins with it, and the record shows what was sent."""
    with WireServer(wire, Say(text="{}"), GOOD) as server:
        asked = ask(entry(wire, server, options={"fold_system": True}))
    first, second = (seen.messages for seen in server.requests)
    assert first == [{"role": "user", "content": f"{CALL.system}\n\n{CALL.user}"}]
    assert [message["role"] for message in second] == ["user", "assistant", "user"]
    assert asked.attempts[0].messages == first
    assert asked.reply.value == FIG
