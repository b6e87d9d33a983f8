"""What keeps a command from starting, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from model_gateway.availability import Availability
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.errors import GatewayError
from model_gateway.gateway import Gateway
from model_gateway.ping_journal import PingJournal
from model_gateway.preflight import check_models
from model_gateway.provider import ProviderError
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import Scripted, Step, a_model

DOWN = ProviderError(FailureKind.connection, "cannot connect")
OVERLOADED = ProviderError(FailureKind.server, "the server answered 529: Overloaded")
NO_CREDIT = ProviderError(FailureKind.no_credit, "pay")
MORE = ProviderError(FailureKind.configuration, "answered 400: max_tokens must be at least 64")
BY_NAME = {
    "up": "1", "down": DOWN, "busy": OVERLOADED, "empty": NO_CREDIT, "mute": "", "large": MORE,
}  # fmt: skip

Check = Callable[..., str]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Return a function that checks chains of models by their names and returns what was said."""

    def checked(*chains: Sequence[str], replied: Sequence[str] = ()) -> str:
        script: dict[str, Step] = dict(BY_NAME)
        availability = Availability(tmp_path / "answered")

        async def scenario() -> None:
            async with Gateway(
                build=lambda model: Scripted(script[model.name]), availability=availability
            ) as gateway:
                models = [[named(name) for name in chain] for chain in chains]
                await check_models(gateway, models, PingJournal(tmp_path / "pings.jsonl"))

        for name in replied:
            availability.replied(named(name))
        virtual_time.run(scenario())
        return capsys.readouterr().err

    return checked


def named(name: str) -> Model:
    """Return an entry of this name, with a model of its own."""
    return a_model(name=name, model_id=name)


def test_models_that_answer_are_fine(check: Check) -> None:
    """Also those whose answer is empty, and those that answer nothing so short."""
    assert check(["up"], ["mute"], ["large"]) == ""


@pytest.mark.parametrize("name", ["down", "busy", "empty"])
def test_a_model_that_cannot_be_used_is_named_before_anything_is_spent(
    check: Check, name: str
) -> None:
    """With what its server said."""
    with pytest.raises(GatewayError, match=rf"nothing was started:\n  {name}: "):
        check([name])


@pytest.mark.parametrize("name", ["down", "busy"])
def test_a_model_that_answered_within_the_hour_is_used(check: Check, name: str) -> None:
    """Its server may be back at the first cell; if not, the cells stay open."""
    assert f"{name} does not answer just now" in check([name], replied=[name])


def test_what_does_not_pass_counts_although_the_model_answered(check: Check) -> None:
    """An hour ago there was credit."""
    with pytest.raises(GatewayError, match="empty: no_credit: pay"):
        check(["empty"], replied=["empty"])


@pytest.mark.parametrize("name", ["down", "busy", "empty"])
def test_a_fallback_helps_from_the_start(check: Check, name: str) -> None:
    """The command begins, and says that such cells do not count."""
    said = check([name, "up"])
    assert f"{name} cannot be used: " in said
    assert "up is asked in its place; what it answers is marked, and is never evidence" in said


def test_a_fallback_that_is_down_is_named(check: Check) -> None:
    """The measured model then has none, and is used all the same."""
    assert "up has no fallback: down cannot be used: connection" in check(["up", "down"])


def test_all_of_a_chain_are_named_if_none_answers(check: Check) -> None:
    """Either of them might be mended."""
    with pytest.raises(GatewayError) as refused:
        check(["up"], ["down", "busy"])
    assert "down: connection" in str(refused.value)
    assert "busy: server" in str(refused.value)


def test_a_model_does_not_stand_in_for_itself(check: Check) -> None:
    """`--fallback` may name one of the measured models."""
    with pytest.raises(GatewayError, match="down: connection"):
        check(["down", "down"])
    assert "up has no fallback." in check(["up", "up"], ["mute", "up"])
    assert check(["up"], ["mute"]) == ""


def test_other_models_need_not_wait_for_tomorrow(check: Check) -> None:
    """A model whose account is empty gets no call; what the others can do is done."""
    said = check(["empty"], ["up"])
    assert "empty gets no call: no_credit: pay. Its cells stay open." in said
