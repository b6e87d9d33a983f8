"""The same cell gets the same reply, and a changed prompt changes no random number."""

from __future__ import annotations

import json

import pytest

from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.persona import PERSONAS
from tests.model_gateway.simulated.conftest import SYSTEM, a_model, a_request


def test_same_request_gets_same_reply(persona: str) -> None:
    """Two models of one persona agree byte for byte, whatever they answered before."""
    first, second = a_model(persona), a_model(persona)
    first.answer(a_request(seed=99))
    assert first.answer(a_request()) == second.answer(a_request())


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"plan": "q"}, {"repeat": 1}, {"key": "other"}, {"number": 2}]
)
def test_every_part_of_the_origin_counts(change: dict[str, object]) -> None:
    """Another seed, plan name, repeat, call or attempt gives another reply."""
    model = a_model()
    assert model.answer(a_request(**change)).text != model.answer(a_request()).text


def test_personas_differ() -> None:
    """No two personas answer alike."""
    texts = {a_model(name).answer(a_request()).text for name in PERSONAS}
    assert len(texts) == len(PERSONAS)


def test_prompts_share_their_random_numbers() -> None:
    """A sentence added to the prompt leaves the names as they were."""
    model = a_model()
    longer = SYSTEM + " Mind the season."
    before = json.loads(model.answer(a_request()).text)["levers"]
    after = json.loads(model.answer(a_request(longer)).text)["levers"]
    assert [lever["name"] for lever in before] == [lever["name"] for lever in after]


def test_streams_are_independent_of_the_order_of_use() -> None:
    """A stream depends on its path alone."""
    draw = Draw(1, "p")
    late = [draw.at(("b", i)).unit() for i in range(3)]
    assert late == [Draw(1, "p").at(("b", i)).unit() for i in range(3)]
    assert draw.at(("b", 1)).unit() != draw.at(("b", "1")).unit()


def test_stream_numbers_are_uniform() -> None:
    """Mean and spread of many numbers are those of the uniform distribution."""
    stream = Draw("uniform").at(())
    numbers = [stream.unit() for _ in range(4000)]
    mean = sum(numbers) / len(numbers)
    assert abs(mean - 0.5) < 0.02
    assert abs(sum((n - mean) ** 2 for n in numbers) / len(numbers) - 1 / 12) < 0.004


def test_tokens_are_counted_the_same_way() -> None:
    """Input and output tokens are whole numbers that grow with the text."""
    short = a_model().answer(a_request())
    long = a_model().answer(a_request(SYSTEM * 3))
    assert short.input_tokens is not None
    assert long.input_tokens is not None
    assert long.input_tokens > short.input_tokens
    assert short.output_tokens == pytest.approx(len(short.text) / 4, abs=1)
