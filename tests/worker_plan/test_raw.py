"""What raw artifacts keep of a call."""

from __future__ import annotations

from pydantic import BaseModel

from model_gateway.call import Call, Reply
from tests.worker_plan.conftest import FAILED
from worker_plan.raw import metadata, record


class Answer(BaseModel):
    """A reply."""

    topic: str


CALL = Call(key="k", system="The system prompt.", user="The user prompt.", schema=Answer)


def reply(text: str = "ü", **facts: object) -> Reply[Answer]:
    """Return a reply."""
    fields = {"value": Answer(topic="x"), "text": text, "model": "haiku", "seconds": 1.23456}
    return Reply(**{**fields, **facts})  # type: ignore[arg-type]


def test_metadata_are_the_recorded_facts() -> None:
    """Model, seconds, and bytes (not characters) of the reply; nothing else of a good reply."""
    assert metadata(reply()) == {
        "model_name": "haiku",
        "duration": 1.235,
        "response_byte_count": 2,
    }


def test_recovered_and_failed_replies_are_marked() -> None:
    """A part of a reply and a failure show."""
    assert metadata(reply(partial=True))["partial"] is True
    assert metadata(reply(mended=("trailing comma",)))["mended"] == ["trailing comma"]
    assert metadata(reply(value=None, failure=FAILED))["failure"] == "server: the model is down"


def test_half_characters_are_counted() -> None:
    """A reply that no file can hold has a size all the same."""
    assert metadata(reply("\ud800"))["response_byte_count"] == 1


def test_record_holds_the_answer_and_what_was_asked() -> None:
    """The answer's own keys come first, whether it is a model or plain values."""
    for answer in (Answer(topic="x"), {"topic": "x"}):
        content = record(reply(), CALL, answer)
        assert list(content) == ["topic", "metadata", "system_prompt", "user_prompt"]
        assert (content["system_prompt"], content["user_prompt"]) == (CALL.system, CALL.user)
