"""Joins the events of servers that stream although a whole reply was asked for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from model_gateway.reply_fields import REASONING

Event = dict[str, Any]

_DONE = "[DONE]"
_PASSED_OVER = (":", "event:", "id:", "retry:")
_MOST_LINES = 100
BEGUN = "plumbline_begun"
"""The key under which an error says that a part of the reply came before it."""


class BrokenStreamError(ValueError):
    """A stream of events without its end."""


def events(body: bytes) -> list[Event] | None:
    """Return the events of a body (server-sent events, or one JSON object a line), or None.

    The mark at the end of OpenAI's streams is an event `{"done": true}`.
    """
    try:
        return list(_events(body.decode("utf-8-sig")))
    except (ValueError, RecursionError):
        return None


def _events(text: str) -> Iterator[Event]:
    data: list[str] = []
    for line in map(str.strip, text.split("\n")):
        if not line or line.startswith(_PASSED_OVER):
            data = []
            continue
        if line.startswith("{"):
            yield _event(line)
            continue
        if not line.startswith("data:") or len(data) == _MOST_LINES:
            raise ValueError("the body is not a stream of events")
        # One event may have several lines of data.
        data.append(line.removeprefix("data:").strip())
        if data == [_DONE]:
            yield {"done": True}
        elif (event := _read("\n".join(data))) is not None:
            yield event
        else:
            continue
        data = []


def _event(line: str) -> Event:
    event = _read(line)
    if event is None:
        raise ValueError("a line is not JSON")
    return event


def _read(text: str) -> Event | None:
    try:
        event = json.loads(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) else {}


def completion(stream: Iterable[Event]) -> Event:
    """Return the chat completion that these chunks are the parts of.

    Raises:
        BrokenStreamError: they have no end.
    """
    pieces = _Pieces("content", "refusal", *REASONING)
    calls: defaultdict[str, list[Any]] = defaultdict(list)
    whole: Event = {}
    finish, ended = None, False
    for event in stream:
        if event.get("error"):
            return {"error": event["error"], BEGUN: bool(calls or any(pieces.fields().values()))}
        ended = ended or event.get("done") is True
        whole |= {key: event[key] for key in ("model", "usage") if event.get(key)}
        for part in _dicts(event.get("choices")):
            if part.get("index"):
                continue
            finish = part.get("finish_reason") or finish
            delta = part.get("delta") or part.get("message")
            if isinstance(delta, dict):
                pieces.add(delta)
                for call in _dicts(delta.get("tool_calls")):
                    function = call.get("function")
                    arguments = function.get("arguments") if isinstance(function, dict) else None
                    calls[str(call.get("index"))].append(arguments)
    message = pieces.fields()
    if calls:
        message["tool_calls"] = [_call(parts) for parts in calls.values()]
    whole["choices"] = [{"message": message, "finish_reason": finish}]
    return _whole(whole, ended=ended or finish is not None)


def message(stream: Iterable[Event]) -> Event:
    """Return the Anthropic message that these events are the parts of.

    Raises:
        BrokenStreamError: they have no end.
    """
    whole: Event = {"stop_reason": None, "usage": {}}
    blocks: dict[str, Event] = {}
    pieces: defaultdict[str, _Pieces] = defaultdict(
        lambda: _Pieces("text", "thinking", "partial_json")
    )
    ended = False
    for event in stream:
        index = str(event.get("index"))
        match event:
            case {"type": "message_start", "message": dict(start)}:
                whole |= {"model": start.get("model"), "usage": _dict(start.get("usage"))}
            case {"type": "content_block_start", "content_block": dict(block)}:
                blocks[index] = block
                pieces[index].add(block)
            case {"type": "content_block_delta", "delta": dict(delta)}:
                pieces[index].add(delta)
            case {"type": "message_delta"}:
                whole["stop_reason"] = _dict(event.get("delta")).get("stop_reason")
                whole["usage"] |= _dict(event.get("usage"))
            case {"type": "message_stop"}:
                ended = True
            case {"type": "error"}:
                return {**event, BEGUN: bool(blocks)}
    whole["content"] = [_block(block, pieces[index].fields()) for index, block in blocks.items()]
    return _whole(whole, ended=ended or whole["stop_reason"] is not None)


def _block(begun: Event, fields: Event) -> Event:
    block = {**begun, **fields}
    if block.get("type") == "tool_use" and block.get("partial_json"):
        block["input"] = block["partial_json"]
    return block


def chat(stream: Iterable[Event]) -> Event:
    """Return the chat reply of Ollama that these lines are the parts of.

    Raises:
        BrokenStreamError: they have no end.
    """
    whole: Event = {}
    pieces = _Pieces("content", "thinking", "tool_calls")
    for event in stream:
        if event.get("error"):
            return {**event, BEGUN: bool(whole)}
        whole |= event
        pieces.add(_dict(event.get("message")))
    return _whole({**whole, "message": pieces.fields()}, ended=whole.get("done") is True)


def _whole(reply: Event, *, ended: bool) -> Event:
    if not ended:
        raise BrokenStreamError("its stream of events breaks off")
    return reply


class _Pieces:
    """The texts, or lists of blocks, of one message by the names of their fields."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._pieces: defaultdict[str, list[Any]] = defaultdict(list)

    def add(self, delta: Event) -> None:
        """Append what an event has of each field."""
        for name in self._names:
            value = delta.get(name)
            if isinstance(value, str):
                self._pieces[name].append(value)
            elif isinstance(value, list):
                self._pieces[name].extend(value)

    def fields(self) -> Event:
        """Return the fields with their whole texts."""
        return {
            name: "".join(pieces) if all(isinstance(p, str) for p in pieces) else pieces
            for name, pieces in self._pieces.items()
        }


def _call(parts: Sequence[Any]) -> Event:
    """Return a tool call whose arguments came in these parts; an object comes in one."""
    whole = next((part for part in parts if isinstance(part, dict)), None)
    texts = "".join(part for part in parts if isinstance(part, str))
    return {"function": {"arguments": texts if whole is None else whole}}


def _dicts(value: Any) -> list[Event]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _dict(value: Any) -> Event:
    return dict(value) if isinstance(value, dict) else {}
