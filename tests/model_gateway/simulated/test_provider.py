"""The simulated entries as the gateway sees them: found by name, free of charge, never evidence."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from model_gateway import config, entry_files, providers
from model_gateway.call import Call, Reply, Source
from model_gateway.config import Model
from model_gateway.door import Door
from model_gateway.errors import ConfigError
from model_gateway.gateway import Gateway
from model_gateway.journal import read_attempts
from model_gateway.providers.simulated import build
from model_gateway.providers.simulated.persona import PERSONAS
from model_gateway.providers.simulated.roles import ROLES
from tests.model_gateway.conftest import MakeCaller
from tests.model_gateway.simulated.conftest import SYSTEM, a_request, block
from tests.model_gateway.simulated.plan_texts import ENGLISH
from tests.model_gateway.simulated.shapes import Levers

CATALOGUE = entry_files.load([config.EMBEDDED])


def an_entry(**options: object) -> Model:
    """Return an entry that plays with these options."""
    return Model(
        name="sim-test", provider="simulated", model_id="simulated/test", options=dict(options)
    )


@pytest.mark.parametrize("name", [*sorted(PERSONAS), *sorted(ROLES)])
def test_every_persona_and_role_has_an_entry(name: str) -> None:
    """Each can be asked for by name, costs nothing and is marked as simulated."""
    model = CATALOGUE.find(f"sim-{name}")
    assert model.model_id.startswith("simulated/")
    assert model.is_simulated
    assert model.cost(1000, 1000) == 0
    provider = providers.build(model)
    assert provider.source is Source.simulated
    answer = asyncio.run(provider.send(a_request()))
    assert answer.text
    asyncio.run(provider.close())


def test_sim_is_the_strong_one() -> None:
    """The alias `sim` is the best of them."""
    assert CATALOGUE.find("sim").name == "sim-strong"


def test_call_through_the_gateway_gives_a_value(make_caller: MakeCaller, tmp_path: Path) -> None:
    """A step hears a value; the journal says that it was simulated and cost nothing."""
    call = Call(key="levers", system=SYSTEM, user=block("plan", ENGLISH), schema=Levers)

    async def scenario() -> Reply[Levers]:
        async with Gateway() as gateway:
            door = await gateway.open(make_caller(CATALOGUE.find("sim")))
            try:
                return await asyncio.to_thread(Door(door.path), call)
            finally:
                await gateway.close(door)

    reply = asyncio.run(scenario())
    assert reply.value is not None
    assert len(reply.value.levers) == 6
    [row] = read_attempts(tmp_path / "attempts.jsonl")
    assert (row.source, row.cost, row.status) == (Source.simulated, 0, "ok")


def test_latency_is_waited_for() -> None:
    """An entry may ask for a pause, to try out progress and side-by-side calls."""
    provider = build(an_entry(persona="strong", latency_seconds=0.05))
    began = time.monotonic()
    asyncio.run(provider.send(a_request()))
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"persona": "stong"}, "Did you mean strong"),
        ({}, "persona"),
        ({"persona": "strong", "traits": {"copies": 1}}, "copies is unknown"),
        ({"persona": "strong", "rules": {"leek": 1}}, "leek is unknown"),
        ({"persona": "judge", "rules": {"leak": 1}}, "neither traits nor rules"),
        ({"persona": "strong", "speed": 3}, "speed"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    """A mistake in an entry is reported with the entry's name and the possible values."""
    with pytest.raises(ConfigError, match=message) as caught:
        build(an_entry(**options))
    assert "sim-test" in str(caught.value)


def test_traits_and_rules_of_an_entry_change_its_replies() -> None:
    """A benchmark can make models and landscapes of its own."""
    plain = asyncio.run(build(an_entry(persona="strong")).send(a_request())).text
    wordy = build(an_entry(persona="strong", traits={"length": 90}))
    assert len(asyncio.run(wordy.send(a_request())).text) > 1.3 * len(plain)
    other = build(an_entry(persona="strong", rules={"keep": 0.0}))
    assert asyncio.run(other.send(a_request(SYSTEM.replace("6", "12")))).text.count('"name"') < 8
