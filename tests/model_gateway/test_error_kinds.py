"""Which kind of failure the error answers of servers are, each in the form of one server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_gateway.error_body import ErrorBody
from model_gateway.error_kinds import kind_of_answer


def kind(status: int, body: Any) -> str:
    """Return the kind of an answer with this status and body."""
    read = ErrorBody.of(body if isinstance(body, str) else json.dumps(body))
    return str(kind_of_answer(status, read.codes, read.words))


def openai(message: str, code: str | None = None, type_: str = "invalid_request_error") -> Any:
    """Return an error body in the form of OpenAI, and of most others."""
    return {"error": {"message": message, "type": type_, "code": code, "param": None}}


def anthropic(type_: str, message: str) -> Any:
    """Return an error body in the form of Anthropic."""
    return {"type": "error", "error": {"type": type_, "message": message}}


def google(message: str, status: str, quota: str) -> Any:
    """Return an error body in the form of Google, which is a list."""
    violation = {"quotaId": quota, "quotaMetric": "requests"}
    details = [{"violations": [violation]}, {"retryDelay": "32s"}]
    return [{"error": {"code": 429, "message": message, "status": status, "details": details}}]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        # Too long for the context: the prompt's.
        (400, openai("This model's maximum context length is 8192 tokens.",
                     "context_length_exceeded"), "too_long"),
        (400, openai("", "context_length_exceeded"), "too_long"),
        (400, anthropic("invalid_request_error",
                        "prompt is too long: 210034 tokens > 200000 maximum"), "too_long"),
        (400, {"object": "error", "message": "This model's maximum context length is 2048 tokens.",
               "type": "BadRequestError", "code": 400}, "too_long"),
        (400, {"error": {"code": 400, "message": "too big", "n_ctx": 2048,
                         "type": "exceed_context_size_error"}}, "too_long"),
        (400, {"error": "the model is loaded with context length of only 4096 tokens"}, "too_long"),
        (422, openai("`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000"),
         "too_long"),
        (403, {"message": "The context length of the model is 4096"}, "too_long"),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), "too_long"),
        (413, openai("Limit 6000, Requested 7000", "rate_limit_exceeded", "tokens"), "too_long"),
        (413, "<html>nginx</html>", "too_long"),
        (429, openai("Request too large for m: Limit 30000, Requested 40000",
                     "rate_limit_exceeded", "tokens"), "too_long"),
        (500, {"error": "input is too large to process"}, "too_long"),
        (400, openai("Input length 9000 exceeds max_model_len 4096"), "too_long"),
        # No JSON: the prompt's.
        (400, openai("Failed to generate JSON.", "json_validate_failed"), "schema"),
        (400, openai("Failed to call a function.", "tool_use_failed"), "schema"),
        (400, openai("Failed to generate JSON."), "schema"),
        # Declined: the prompt's.
        (400, openai("no", "content_filter"), "refused"),
        (400, {"error": {"message": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
         "refused"),
        # A limit that passes.
        (429, openai("Slow down", "rate_limit_exceeded", "tokens"), "rate_limit"),
        (429, {"error": {"code": "429", "message": "Please retry after 6 seconds."}}, "rate_limit"),
        (429, anthropic("rate_limit_error", "This would exceed your rate limit"), "rate_limit"),
        (429, openai("too many tokens a minute"), "rate_limit"),
        (429, google("You exceeded your current quota", "RESOURCE_EXHAUSTED",
                     "GenerateRequestsPerMinutePerProjectPerModel"), "rate_limit"),
        # One of a day.
        (429, openai("Rate limit reached for requests per day", "rate_limit_exceeded", "requests"),
         "daily_limit"),
        (429, openai("Limit reached on tokens per day (TPD): Limit 100000", "rate_limit_exceeded",
                     "tokens"), "daily_limit"),
        (429, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day"}},
         "daily_limit"),
        (429, {"errors": [{"message": "you used up your daily free allocation", "code": 4006}]},
         "daily_limit"),
        (429, google("You exceeded your current quota", "RESOURCE_EXHAUSTED",
                     "GenerateRequestsPerDayPerProjectPerModel-FreeTier"), "daily_limit"),
        (403, {"error": {"code": 403, "message": "Key limit exceeded (daily limit)"}},
         "daily_limit"),
        # No money.
        (402, {"error": {"code": 402, "message": "This request requires more credits"}},
         "no_credit"),
        (402, "", "no_credit"),
        (429, openai("You exceeded your current quota", "insufficient_quota",
                     "insufficient_quota"), "no_credit"),
        (429, {"error": {"message": "Insufficient balance"}}, "no_credit"),
        (400, anthropic("invalid_request_error", "Your credit balance is too low"), "no_credit"),
        (400, anthropic("invalid_request_error", "You have reached your specified API usage "
                        "limits. You will regain access on 2026-12-01"), "no_credit"),
        (403, {"error": {"message": "Key limit exceeded (total limit)"}}, "no_credit"),
        (429, {"error": "You have reached your weekly usage limit."}, "no_credit"),
        (429, openai("Monthly request quota exceeded", "quota_exceeded"), "no_credit"),
        (429, openai("current quota is not enough", None, "exceeded_current_quota_error"),
         "no_credit"),
        (412, openai("Account a is suspended, possibly due to a spending limit"), "no_credit"),
        # No way in.
        (401, openai("Incorrect API key provided", "invalid_api_key"), "access"),
        (401, {"statusCode": 401, "message": "Unauthorized"}, "access"),
        (403, anthropic("permission_error", "Your key may not use this"), "access"),
        (400, [{"error": {"code": 400, "message": "API key not valid.",
                          "details": [{"reason": "API_KEY_INVALID"}]}}], "access"),
        # No such model.
        (404, openai("The model `m` does not exist", "model_not_found"), "model_not_found"),
        (404, {"error": "model 'm' not found"}, "model_not_found"),
        (404, {"error": 'model "m" not found, try pulling it first'}, "model_not_found"),
        (404, anthropic("not_found_error", "model: claude-0"), "model_not_found"),
        (404, {"error": {"code": "DeploymentNotFound", "message": "It does not exist."}},
         "model_not_found"),
        (404, {"error": {"code": 404, "message": "No endpoints found for a/b."}},
         "model_not_found"),
        (404, {"object": "error", "message": "It is gone", "type": "NotFoundError", "code": 404},
         "model_not_found"),
        (400, {"error": {"code": 400, "message": "a/b is not a valid model ID"}},
         "model_not_found"),
        (400, {"message": "Invalid model: m", "type": "invalid_model"}, "model_not_found"),
        (400, {"error": "No models loaded. Please load a model"}, "model_not_found"),
        # The server's own trouble.
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
         "server"),
        (529, anthropic("overloaded_error", "Overloaded"), "server"),
        (500, {"error": "llama runner process has terminated: exit status 2"}, "server"),
        (502, "<html>Bad gateway</html>", "server"),
        (500, {"error": "CUDA error: out of memory"}, "out_of_memory"),
        (500, openai("CUDA out of memory. Tried to allocate 2.00 GiB", None, "server_error"),
         "out_of_memory"),
        (500, {"error": "model requires more system memory (12.1 GiB) than is available (7 GiB)"},
         "out_of_memory"),
        (400, {"error": "Model loading aborted due to insufficient system resources"},
         "out_of_memory"),
        (500, {"error": "unable to allocate CUDA0 buffer"}, "out_of_memory"),
        (425, openai("Too early"), "server"),
        (498, openai("Flex tier capacity exceeded", "capacity_exceeded"), "server"),
        (499, "", "connection"),
        (408, {}, "timeout"),
        # The entry's.
        (404, {"detail": "Not Found"}, "configuration"),
        (404, "404 page not found", "configuration"),
        (400, openai("max_tokens is too large"), "configuration"),
        (400, openai("Unsupported parameter: 'max_tokens' is not supported with this model."),
         "configuration"),
        (422, {"detail": [{"msg": "unknown field"}]}, "configuration"),
        (501, {"error": {"code": 501, "type": "not_supported_error", "message": "no"}},
         "configuration"),
    ],
)  # fmt: skip
def test_answers_of_servers(status: int, body: Any, expected: str) -> None:
    """Codes and types decide, then the status, and words only where these leave it open."""
    assert kind(status, body) == expected


@pytest.mark.parametrize(("status", "expected"), [(429, "rate_limit"), (503, "server")])
def test_words_of_another_kind_do_not_count(status: int, expected: str) -> None:
    """A server that is overloaded may speak of tokens and models all the same."""
    assert kind(status, openai("model m: too many tokens, the context window")) == expected


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        (google("x", "RESOURCE_EXHAUSTED", "y"), 32.0),
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": "1000"}}}}, 0.0),
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": "soon"}}}}, None),
        ({"error": {"details": [{"violations": 3}, "x"]}}, None),
        (openai("Limit 6000. Please try again in 47m12.5s."), 2832.5),
        (openai("Please try again in 1h0m3s. Thank you"), 3603.0),
        (openai("Please retry after 6 seconds."), 6.0),
        (openai("Please try again in 350ms"), None),
        (openai("Please try again in a while"), None),
        ("no JSON", None),
    ],
)
def test_bodies_may_say_when_to_come_back(body: Any, wait: float | None) -> None:
    """Google and OpenRouter say it there, and others in words, and in no header."""
    text = body if isinstance(body, str) else json.dumps(body)
    assert ErrorBody.of(text).wait == wait


def test_error_of_another_server_that_a_router_passes_on_counts() -> None:
    """The router's own words say nothing."""
    raw = json.dumps(openai("no more", "insufficient_quota"))
    body = {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": raw}}}
    assert kind(429, body) == "no_credit"
