"""What a server sends is recorded without keys and without nonsense, in every field."""

from __future__ import annotations

import base64
import json

import pytest

from model_gateway.call import FailureKind
from model_gateway.ledger import Caps, Ledger
from model_gateway.provider import Answer
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import MakeCaller, Scripted, a_model
from tests.model_gateway.fruit_calls import GOOD, put_call

KEY = 'sk-in/the"environment-0123456789'
CODED = base64.b64encode(KEY.encode()).decode()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)


def test_no_field_of_an_answer_keeps_a_key(make_caller: MakeCaller) -> None:
    """Text, name of the model and reason of the end are all a server's words."""
    answer = Answer(text=f"{GOOD} {CODED}", finish_reason=f"stop {KEY}", model_id=json.dumps(KEY))
    attempt = virtual_time.run(put_call(Scripted(answer), make_caller(a_model()))).attempt
    said = json.dumps([attempt.text, attempt.finish_reason, attempt.reported_model])
    assert said.count("[key hidden]") == 3
    assert CODED not in said
    assert "environment" not in said


def test_no_setting_of_an_entry_keeps_a_key(make_caller: MakeCaller) -> None:
    """A key that stands in an entry itself is used, but not recorded."""
    model = a_model(
        arguments={"extra_headers": {"Authorization": "Bearer 0123456789abcdef"}, "top_p": 1},
        options={"api_key": "0123456789abcdef-entry", "urls": [f"https://x/{KEY}"]},
    )
    provider = Scripted(GOOD)
    attempt = virtual_time.run(put_call(provider, make_caller(model))).attempt
    hidden = {"Authorization": "[key hidden]"}
    assert attempt.arguments == {"extra_headers": hidden, "top_p": 1}
    assert attempt.options == {"api_key": "[key hidden]", "urls": ["https://x/[key hidden]"]}
    assert provider.requests[0].arguments["extra_headers"]["Authorization"].endswith("cdef")


def test_a_key_in_a_prompt_is_not_sent(make_caller: MakeCaller) -> None:
    """A plan or a candidate that holds a key by mistake does not carry it to a server."""
    provider = Scripted(GOOD)
    messages = [{"role": "user", "content": f"My key is {json.dumps(KEY)}. Name a fruit."}]
    outcome = virtual_time.run(put_call(provider, make_caller(a_model()), messages=messages))
    [request] = provider.requests
    assert request.messages == [
        {"role": "user", "content": 'My key is "[key hidden]". Name a fruit.'}
    ]
    assert outcome.attempt.messages == request.messages


def test_names_are_short_and_on_one_line(make_caller: MakeCaller) -> None:
    """A megabyte of a name, escape sequences and half characters stay out of the records."""
    answer = Answer(text=GOOD, finish_reason="\ud83d\x1b[2J\nstop", model_id="m" * 1_000_000)
    attempt = virtual_time.run(put_call(Scripted(answer), make_caller(a_model()))).attempt
    assert attempt.finish_reason == "\ufffd\\u001b[2J stop"
    assert attempt.reported_model is not None
    assert len(attempt.reported_model) == 200


@pytest.mark.parametrize(("tokens_in", "tokens_out"), [(0, 0), (0, 5), (9, 0)])
def test_free_text_is_not_believed(
    make_caller: MakeCaller, tokens_in: int, tokens_out: int
) -> None:
    """A server that counts nothing is charged at the reservation, so that a cap still holds."""
    answer = Answer(text=GOOD, input_tokens=tokens_in, output_tokens=tokens_out)
    ledger = Ledger(Caps(tokens=10_000))
    attempt = virtual_time.run(
        put_call(Scripted(answer), make_caller(a_model()), ledger=ledger)
    ).attempt
    assert (attempt.input_tokens, attempt.output_tokens, attempt.cost) == (None, None, None)
    assert ledger.spent.tokens > 100


def test_an_error_of_ours_is_that_attempts_alone(make_caller: MakeCaller) -> None:
    """Whatever goes wrong inside the gateway becomes the row of one attempt, with its reason."""

    def log(_: object) -> None:
        raise ZeroDivisionError("made for the test")

    outcome = virtual_time.run(put_call(Scripted(GOOD), make_caller(a_model(), log=log)))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.configuration
    assert "ZeroDivisionError: made for the test" in outcome.failure.message
    assert outcome.attempt.status == "failed"
