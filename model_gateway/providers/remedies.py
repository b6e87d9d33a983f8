"""Names the setting of an entry that would mend what a server refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from model_gateway.config import Model

_LONGEST_READ = 2_000
_WIRE_FORMATS = frozenset({"openai", "anthropic", "ollama"})
_SAMPLING = (
    "temperature|top_p|top_k|min_p|presence_penalty|frequency_penalty|logit_bias|stop|"
    "reasoning_effort|parallel_tool_calls"
)


@dataclass(frozen=True, kw_only=True)
class _Remedy:
    """What a server says (`words`), and the advice for an entry, None where it does not help."""

    words: re.Pattern[str]
    advice: Callable[[Model, str], str | None]


def remedy_for(message: str, model: Model) -> str:
    """Return the advice for an error message, as the end of a sentence, or nothing."""
    message = message[:_LONGEST_READ]
    if _REFUSES.search(message) is None:
        return ""
    for remedy in _REMEDIES:
        match = remedy.words.search(message)
        if match is not None:
            advice = remedy.advice(model, match.groupdict().get("name") or "")
            if advice is not None:
                return f"; {advice}"
    return ""


def _completion_tokens(model: Model, _: str) -> str | None:
    if model.provider != "openai":
        return None
    return 'set max_tokens_parameter = "max_completion_tokens" under [options]'


def _max_tokens(model: Model, _: str) -> str | None:
    if model.options.get("max_tokens_parameter") != "max_completion_tokens":
        return None
    return 'set max_tokens_parameter = "max_tokens" under [options]'


def _shorter(_: Model, __: str) -> str:
    return "lower max_output_tokens (and thinking_tokens) in the entry"


def _folded(model: Model, _: str) -> str | None:
    if model.provider not in _WIRE_FORMATS or model.folds_system:
        return None
    return "set fold_system = true under [options]"


def _without_schema(model: Model, _: str) -> str | None:
    if model.structured == "json_schema":
        return 'set structured = "prompt" in the entry'
    # Local models of the OpenAI format are constrained by default.
    if model.options.get("constrain", model.local and model.provider == "openai"):
        return "set constrain = false under [options]"
    return "remove json_mode from [options]" if model.options.get("json_mode") else None


def _strict(model: Model, _: str) -> str | None:
    if model.provider != "openai" or model.structured != "json_schema":
        return None
    if model.options.get("strict"):
        return 'remove strict from [options], or set structured = "prompt"'
    return 'set strict = true under [options], or structured = "prompt"'


def _argument(model: Model, name: str) -> str | None:
    if name == "seed":
        return "set sends_seed = false in the entry" if model.sends_seed else None
    return f"remove {name} from [arguments]" if name in model.arguments else None


_NOT = r"not (?:be )?(?:currently )?(?:supported|available|allowed|permitted|enabled|implemented)"
_UNKNOWN = rf"(?:unsupported|unexpected|unknown|{_NOT}|(?:does|do)(?: not|n't) support)"
_REFUSES = re.compile(
    rf"un(?:supported|recognized|known|expected|available)|{_NOT}|(?:does|do)(?: not|n't) support|"
    r"isn't supported|extra inputs|input should be|must|may only|only .{0,40}supported|cannot|"
    r"deprecated|invalid|failed|required|too large|at most|exceed|maximum",
    re.IGNORECASE,
)


def _named(words: str) -> re.Pattern[str]:
    """Return what finds one of these names."""
    return re.compile(rf"(?<![A-Za-z_])(?P<name>{words})(?![A-Za-z_])", re.IGNORECASE)


_REMEDIES = (
    _Remedy(
        words=re.compile(r"use ['\"`]?max_completion_tokens|max_tokens['\"`]? is not supported"),
        advice=_completion_tokens,
    ),
    _Remedy(
        words=re.compile(
            r"max_(?:completion_)?tokens.{0,80}(?:too large|at most|exceed|\d+ > \d+|maximum)",
            re.IGNORECASE,
        ),
        advice=_shorter,
    ),
    _Remedy(words=_named("max_completion_tokens"), advice=_max_tokens),
    _Remedy(
        words=re.compile(
            rf"(?:system|developer) (?:role|message|instruction|prompt)s?\b.{{0,80}}{_UNKNOWN}|"
            rf"{_UNKNOWN}.{{0,80}}[\"'`]system\b|^system: extra inputs|unexpected role|"
            r"roles must alternate|conversation roles|only user and assistant roles",
            re.IGNORECASE,
        ),
        advice=_folded,
    ),
    _Remedy(
        words=re.compile(
            r"invalid schema for response_format|additionalproperties.{0,60}(?:false|required)",
            re.IGNORECASE,
        ),
        advice=_strict,
    ),
    _Remedy(
        words=re.compile(
            r"response[_ ]format|json_schema|json_object|output_config|output_format|"
            r"structured outputs?|json mode|grammar|guided[_ ]?(?:json|decoding)|for format",
            re.IGNORECASE,
        ),
        advice=_without_schema,
    ),
    _Remedy(words=_named(f"seed|{_SAMPLING}"), advice=_argument),
)
