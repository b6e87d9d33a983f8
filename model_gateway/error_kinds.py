"""Reads an error answer of a server as a kind of failure: by code, by status, by words last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from model_gateway.call import FailureKind

_K = FailureKind

_BY_CODE: Mapping[str, FailureKind] = {
    code: kind
    for kind, codes in {
        _K.refused: (
            "content_filter", "content_policy_violation", "moderation_blocked",
            "responsibleaipolicyviolation",
        ),
        _K.too_long: (
            "context_length_exceeded", "request_too_large", "exceed_context_size_error",
            "string_above_max_length", "context_window_exceeded",
        ),
        _K.schema: ("json_validate_failed", "tool_use_failed"),
        _K.no_credit: (
            "insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
            "billing_error", "insufficient_credits", "payment_required", "credit_limit",
            "exceeded_current_quota_error",
        ),
        _K.daily_limit: ("daily_limit_exceeded",),
        _K.model_not_found: (
            "model_not_found", "deploymentnotfound", "model_not_available", "invalid_model",
        ),
        _K.access: (
            "invalid_api_key", "authentication_error", "permission_error", "unauthenticated",
            "api_key_invalid",
        ),
        _K.server: ("overloaded_error", "unavailable_error"),
    }.items()
    for code in codes
}  # fmt: skip
"""Codes and types that say it all, whatever the status."""

_BY_STATUS: Mapping[int, FailureKind] = {
    HTTPStatus.PAYMENT_REQUIRED: FailureKind.no_credit,
    HTTPStatus.UNAUTHORIZED: FailureKind.access,
    HTTPStatus.REQUEST_TIMEOUT: FailureKind.timeout,
    HTTPStatus.TOO_EARLY: FailureKind.server,
    498: FailureKind.server,  # Groq: no capacity just now
    499: FailureKind.connection,  # nginx: the connection was closed before the answer
    HTTPStatus.NOT_IMPLEMENTED: FailureKind.configuration,
}
_RATE_CODES = frozenset({"resource_exhausted", "rate_limit_exceeded", "rate_limit_error"})
_MODEL_TYPES = frozenset({"not_found_error", "notfounderror"})

# Fixed messages of servers that give no code: OpenAI's and its imitators', Azure, Anthropic,
# Google, Mistral, Cohere, OpenRouter, Groq, Together, vLLM, llama.cpp, Ollama, LM Studio.
_DECLINED = re.compile(r"content filtering policy|content management policy", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"maximum context length|context (length|window|size)|prompt is too long|too many tokens|"
    r"input is too l(ong|arge)|request too large|exceeds? the maximum size|"
    r"(token count|tokens?) .{0,60}exceeds? .{0,40}(maximum|limit|allowed|context)|"
    r"`?inputs`? tokens .{0,40}must be <=|max_model_len|"
    r"(input|prompt) (length|size) .{0,40}exceeds?",
    re.IGNORECASE,
)
_TOO_LARGE_FOR_ANY_MINUTE = re.compile(r"request too large", re.IGNORECASE)
_NO_JSON = re.compile(
    r"failed to generate (a )?(valid )?json|failed to call a function", re.IGNORECASE
)
_A_DAY = re.compile(r"per[ -]?day|\bdaily\b|\b[RT]PD\b", re.IGNORECASE)
_NO_CREDIT = re.compile(
    r"credit balance|insufficient (credits?|balance|funds|quota)|exceeded your current quota|"
    r"more credits|monthly included credits|usage limits?\b.{0,40}regain access|"
    r"key limit exceeded|reached your (credit|spending) limit|billing hard limit|"
    r"(weekly|monthly) .{0,30}(limit|quota|allowance)|quota is not enough|"
    r"account .{0,40}\bis suspended",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"\bmodel\b.{0,120}(not found|does not exist|not exist\b|unknown|is not available|not loaded|"
    r"deprecated|decommissioned)|"
    r"(no|unknown|invalid|access) (such )?model\b|not a valid model|no models? (is )?loaded|"
    r"no endpoints found for|^\s*model: ",
    re.IGNORECASE,
)
_NO_MEMORY = re.compile(
    r"out of memory|outofmemory|more system memory|insufficient (system resources|memory)|"
    r"(failed|unable) to allocate|cannot allocate memory|bad_alloc",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(r"api key not valid|invalid api key|incorrect api key", re.IGNORECASE)

_MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NO_ENTRY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def kind_of_answer(status: int, codes: frozenset[str], message: str) -> FailureKind:
    """Return the kind of failure behind an HTTP error.

    Args:
        status: of the answer; of the error inside it where a router answers 200.
        codes: all codes, types and states that the body names, in lower case.
        message: the server's own words, read only where codes and status leave it open.
    """
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return FailureKind.too_long
    named = next((kind for code, kind in _BY_CODE.items() if code in codes), None)
    named = named or _BY_STATUS.get(status)
    if named is not None:
        return _of_a_day(named, message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _of_a_day(_of_too_many(codes, message), message)
    if status in _MISSING:
        is_named = codes & _MODEL_TYPES or _NO_MODEL.search(message)
        return FailureKind.model_not_found if is_named else FailureKind.configuration
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.CONFLICT:
        return _of_server(status, message)
    return _of_a_day(_of_request(status, message), message)


def _of_a_day(kind: FailureKind, message: str) -> FailureKind:
    """Return the kind of a limit that the server says is one of a day."""
    limits = {FailureKind.rate_limit, FailureKind.no_credit}
    return FailureKind.daily_limit if kind in limits and _A_DAY.search(message) else kind


def _of_too_many(codes: frozenset[str], message: str) -> FailureKind:
    if _TOO_LARGE_FOR_ANY_MINUTE.search(message):
        return FailureKind.too_long
    # Google says "quota" of its limits by the minute, too, and adds a code.
    if not codes & _RATE_CODES and _NO_CREDIT.search(message):
        return FailureKind.no_credit
    return FailureKind.rate_limit


def _of_server(status: int, message: str) -> FailureKind:
    if _NO_MEMORY.search(message):
        return FailureKind.out_of_memory
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        if _TOO_LONG.search(message):
            return FailureKind.too_long
        if _NO_JSON.search(message):
            return FailureKind.schema
    return FailureKind.server


def _of_request(status: int, message: str) -> FailureKind:
    by_words = (
        (_DECLINED, FailureKind.refused),
        (_TOO_LONG, FailureKind.too_long),
        (_NO_JSON, FailureKind.schema),
        (_NO_CREDIT, FailureKind.no_credit),
        (_BAD_KEY, FailureKind.access),
        (_NO_MEMORY, FailureKind.out_of_memory),
        (_NO_MODEL, FailureKind.model_not_found),
    )
    for words, kind in by_words:
        if words.search(message):
            return kind
    return FailureKind.access if status in _NO_ENTRY else FailureKind.configuration
