"""How errors over HTTP are classified, by the errors that HTTP libraries really raise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import httpx2
import pytest

from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.large_replies import ReplyBoundError
from model_gateway.provider import ProviderError
from model_gateway.providers.http_client import _inflated
from model_gateway.providers.http_errors import ErrorSource, failure_in, failure_of
from tests.model_gateway.providers.conftest import KEY, KEY_VARIABLE

URL = "https://user:secret@models.example/v1"


def source(**changes: Any) -> ErrorSource:
    """Return where the errors of these tests come from."""
    values = {"name": "m", "provider": "openai", "model_id": "m-1", "key_env": KEY_VARIABLE}
    return ErrorSource(model=Model.model_validate({**values, **changes}), url=URL)


def of_status(code: int, body: Any = None, **headers: str) -> ProviderError:
    """Return the failure for a reply with this status, body and headers."""
    text = body if isinstance(body, str) else json.dumps(body)
    request = httpx.Request("POST", URL)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = httpx.Response(code, text=text, headers=named, request=request)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        reply.raise_for_status()
    return failure_of(caught.value, source())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, FailureKind.configuration),
        (402, FailureKind.no_credit),
        (403, FailureKind.access),
        (404, FailureKind.configuration),
        (408, FailureKind.timeout),
        (409, FailureKind.server),
        (413, FailureKind.too_long),
        (422, FailureKind.configuration),
        (429, FailureKind.rate_limit),
        (500, FailureKind.server),
        (503, FailureKind.server),
        (529, FailureKind.server),
    ],
)
def test_status_decides_the_kind_and_costs_nothing(code: int, kind: FailureKind) -> None:
    """An error status is not a reply, so it costs nothing."""
    failure = of_status(code, {"error": {"message": "no"}})
    assert (failure.kind, failure.billed) == (kind, False)
    assert failure.message.startswith(f"the server answered {code}: no")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "model 'm' is not loaded"}, FailureKind.server),
        ({"error": {"message": "no", "code": 429}}, FailureKind.rate_limit),
        ({"error": {"message": "no", "code": "402"}}, FailureKind.no_credit),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}},
         FailureKind.server),
        ({"type": "error", "error": {"type": "not_found_error", "message": "model: m"}},
         FailureKind.model_not_found),
        ({"error": {"message": "no", "code": True}}, FailureKind.server),
        ({"object": "error", "message": "maximum context length is 9", "code": 40303},
         FailureKind.too_long),
        ({"detail": "model is busy"}, FailureKind.server),
    ],
)  # fmt: skip
def test_error_in_place_of_a_reply_is_one(body: Any, kind: FailureKind) -> None:
    """Some servers say with a success status that they failed, in any of the formats."""
    failure = failure_in(body, source())
    assert failure is not None
    assert failure.kind is kind


@pytest.mark.parametrize(
    "body",
    [{"error": None}, {"error": ""}, {"error": 3}, [], "error", {"choices": [{}], "error": "x"},
     {"content": [{}], "error": "x"}],
)  # fmt: skip
def test_other_bodies_are_no_errors(body: Any) -> None:
    """What holds a reply is read as one."""
    assert failure_in(body, source()) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"Retry_After_Ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, 86_400.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_time_to_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates count; nonsense counts as no time named."""
    assert of_status(429, **headers).retry_after == seconds


def test_date_to_wait_for_is_counted_from_now() -> None:
    """A date in the future counts as the seconds until then."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert of_status(503, retry_after=date).retry_after == pytest.approx(60, abs=3)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "bad id"}}, "bad id"),
        ({"error": "bad id"}, "bad id"),
        ({"message": "bad id"}, "bad id"),
        ({"detail": "bad id"}, "bad id"),
        ({"detail": [{"msg": "bad id", "input": "THE PROMPT"}]}, "bad id"),
        ({"error": {"message": "upstream", "metadata": {"raw": '{"error": "bad id"}'}}}, "bad id"),
        ("bad id", "bad id"),
        ("<html><h1>nginx</h1></html>", "Bad Request"),
        ({"unknown": "THE PROMPT"}, "Bad Request"),
        (["THE PROMPT"], "Bad Request"),
        ("", "Bad Request"),
        ("\x1b[31mbad\nid\x07", "[31mbad id"),
    ],
)
def test_message_says_what_the_server_said_and_no_more(body: Any, words: str) -> None:
    """The message of any known error body is given on one line; its other contents are not."""
    message = of_status(400, body).message
    assert message.startswith("the server answered 400: ")
    assert words in message
    assert "THE PROMPT" not in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "content_filter", "message": "no"}},
        {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        {"error": {"message": "flagged", "metadata": {"reasons": ["violence"]}}},
    ],
)
def test_content_filter_is_a_refusal(body: Any) -> None:
    """The error bodies with which servers decline a prompt are refusals."""
    assert of_status(403, body).kind is FailureKind.refused


def test_key_is_hidden_before_the_message_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a key is left over where a long message is cut off."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    for length in range(120, 180):
        message = of_status(401, {"error": {"message": f"{'x' * length}{KEY}"}}).message
        assert KEY[:8] not in message


def test_key_is_hidden_in_an_error_in_utf_16(monkeypatch: pytest.MonkeyPatch) -> None:
    """The zeros between the letters of UTF-16 do not hide a key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    message = of_status(400, f"oops {KEY}".encode("utf-16").decode("utf-8", "replace")).message
    assert "oops [key hidden]" in message


def test_key_as_a_content_coding_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that puts a key where a coding is named gets none of it into the message."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(ReplyBoundError) as caught:
        _inflated(b"", f"x-{KEY}")
    message = failure_of(caught.value, source()).message
    assert KEY[:8] not in message
    assert "was not asked for" in message


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    ("name", "kind", "billed"),
    [
        ("ConnectError", FailureKind.connection, False),
        ("ConnectTimeout", FailureKind.timeout, False),
        ("ReadTimeout", FailureKind.timeout, True),
        ("ReadError", FailureKind.connection, True),
        ("RemoteProtocolError", FailureKind.connection, True),
        ("DecodingError", FailureKind.connection, True),
        ("UnsupportedProtocol", FailureKind.configuration, False),
        ("LocalProtocolError", FailureKind.configuration, False),
    ],
)
def test_broken_exchanges_are_known_in_both_http_libraries(
    library: Any, name: str, kind: FailureKind, *, billed: bool
) -> None:
    """The kind is found under the SDK's error, and the address is shown without its password."""
    outer = RuntimeError("the SDK's own words")
    outer.__cause__ = getattr(library, name)("details")
    failure = failure_of(outer, source())
    assert (failure.kind, failure.billed) == (kind, billed)
    assert "models.example" in failure.message
    assert "secret" not in failure.message


def test_error_of_no_known_kind_is_reported_and_may_have_cost_money() -> None:
    """What nobody foresaw is final, named by its class, and charged."""
    failure = failure_of(LookupError("odd"), source())
    assert (failure.kind, failure.billed) == (FailureKind.configuration, True)
    assert failure.message == "LookupError: odd"
