"""Replies of a sound form that hold what no model says: strange values, usage, and the key."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tools.hostile.wire import GOOD, Act, Visit

OVERBILLED = "overbilled"
Named = Iterator[tuple[str, Act]]


def _says(text: str | None = None, **changes: Any) -> Act:
    return lambda visit: visit.say(visit.reply(text, **changes))


def _writes(reply: Callable[[Visit], Any], **how: Any) -> Act:
    return lambda visit: visit.say(reply(visit), **how)


def json_values() -> Named:
    """Yield replies of a sound form with strange values."""
    said = json.dumps(GOOD)
    texts: dict[str, str] = {
        "empty": "", "space": " \n", "prose": "I would rather not.", "half": said[:30],
        "surrogate": said.replace("Tools", "\ud83d"), "nul": said.replace("Tools", "a\\u0000b"),
        "raw-nul": said.replace("Tools", "a\x00b"), "schema": json.dumps({"type": "object"}),
        "escapes": said.replace("Tools", "\x1b[2J\x1b]8;;http://x\x07"),
        "html": "<script>1</script>",
        "bidi": said.replace("Tools", "\u202e\u2066evil"), "deep": "[" * 100_000,
        "deep-object": '{"topic":' * 50_000, "braces": "{" * 300_000, "quotes": '{"' * 200_000,
        "fences": "```json\n" * 100_000, "2-mb": said + " " * 2_000_000,
        "7-mb": "x" * 7_000_000, "long-field": said.replace("Tools", "y" * 3_000_000),
        "number": "9" * 6_000, "nan": said.replace('"Tools"', "NaN"), "twice": said + said,
        "list": f"[{said}]", "wrong-types": json.dumps(dict.fromkeys(GOOD, 7)),
    }  # fmt: skip
    for name, text in texts.items():
        yield f"text-{name}", _says(text)
    names: dict[str, Any] = {
        "other": "gpt-other-1", "surrogate": "\udc00m\ud800", "escapes": "\x1b[31mred\x07",
        "list": ["a"], "object": {"a": 1}, "number": 5, "null": None, "empty": "",
        "1-mb": "m" * 1_000_000, "path": "../../../etc/passwd", "lines": "a\nb\r\nc\u2028d",
        "html": "<img src=x onerror=alert(1)>", "nul": "a\x00b",
    }  # fmt: skip
    for name, value in names.items():
        yield f"model-{name}", _says(model=value)
        yield f"finish-{name}", _says(finish=value)
    for name in ("length", "refusal", "content_filter", "tool_calls", "max_tokens", "pause_turn"):
        yield f"finish-{name}", _says(finish=name)
    for name, value in (("null", None), ("empty", []), ("words", "x"), ("list", [1, "x", None])):
        yield f"holder-{name}", _writes(functools.partial(_with_holders, value=value))


def _with_holders(visit: Visit, *, value: Any) -> Any:
    """Return a reply whose holder of the text is something else."""
    holders = ("choices", "content", "message")
    return {key: value if key in holders else old for key, old in visit.reply().items()}


def usages() -> Named:
    """Yield replies that count their tokens and dollars in strange ways."""
    usages: dict[str, Any] = {
        "zero": (0, 0), "minus": (-5, -7), "float": (1.5, 2.5), "text": ("12", "many"),
        "null": (None, None), "bool": (True, False), "list": ([1], {}), "huge": (10**15, 10**15),
        "giant": (10**400, 10**300), "infinite": (float("inf"), float("nan")),
        OVERBILLED: (500_000, 500_000), "one-side": (300, None),
    }  # fmt: skip
    for name, usage in usages.items():
        yield f"usage-{name}", _says(usage=usage)
    for name, cost in (("minus", -1), ("huge", 1e300), ("text", "free"), ("zero", 0), ("big", 5.0)):
        yield f"cost-{name}", _writes(functools.partial(_with_cost, cost=cost))

    def without(visit: Visit) -> Any:
        reply = visit.reply()
        for field in ("usage", "prompt_eval_count", "eval_count"):
            reply.pop(field, None)
        return visit.say(reply)

    yield "usage-none", without


def _with_cost(visit: Visit, *, cost: Any) -> dict[str, Any]:
    reply = visit.reply()
    usage = reply.get("usage")
    return {**reply, "usage": {**usage, "cost": cost}} if usage else {**reply, "cost": cost}


def keys() -> Named:
    """Yield replies that repeat the key of the request."""
    written: dict[str, Callable[[str], str]] = {
        "plain": str, "json": json.dumps, "json-twice": lambda key: json.dumps(json.dumps(key)),
        "numbers": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
        "url": lambda key: quote(key, safe=""), "hex": lambda key: key.encode().hex(),
        "base64": lambda key: base64.b64encode(key.encode()).decode(),
        "base64-lines": lambda key: base64.encodebytes(b"x" * 50 + key.encode()).decode(),
        "base64-json": lambda key: base64.b64encode(json.dumps([key]).encode()).decode(),
    }  # fmt: skip
    for name, write in written.items():
        yield f"key-text-{name}", _echoes(write, "text")
        yield f"key-error-{name}", _echoes(write, "error")
        yield f"key-model-{name}", _echoes(write, "model")
        yield f"key-finish-{name}", _echoes(write, "finish")
    yield "key-prose", lambda v: v.say(v.reply(f"I was sent {v.key}."))
    yield "key-wrong-type", lambda v: v.say(v.reply(json.dumps({"topic": [v.key], v.key: 1})))
    yield "key-body", lambda v: v.send(v.key.encode(), 500, kind="text/plain")
    yield "key-not-json", lambda v: v.send(b"{" + v.key.encode())
    yield "key-header", lambda v: v.say(v.error("no"), code=401, headers={"X-Key": v.key})
    yield "key-status-line", lambda v: v.raw(f"HTTP/1.1 200 {v.key}\r\n\r\n".encode())
    yield "key-line", lambda v: v.raw(f"{v.key}\r\n\r\n".encode())
    yield "key-coding", lambda v: v.send(b"{}", headers={"Content-Encoding": v.key})
    yield "key-type", lambda v: v.send(b"{}", kind=f"text/{v.key}")
    yield "key-field", lambda v: v.say({v.key: 1, **v.reply(), "id": v.key, "usage": {v.key: 1}})
    yield "key-retry-after", lambda v: v.say({}, code=429, headers={"Retry-After": v.key})


def _echoes(write: Callable[[str], str], where: str) -> Act:
    async def act(visit: Visit) -> None:
        key = write(visit.key)
        if where == "error":
            await visit.say(visit.error(key), code=400)
        elif where == "text":
            await visit.say(visit.reply(json.dumps({**GOOD, "topic": key})))
        else:
            await visit.say(visit.reply(**{where: key}))

    return act
