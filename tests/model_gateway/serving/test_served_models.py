"""A model whose entry has [serve] answers like any other, and its server's failures are seen."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_gateway import config, providers
from model_gateway.attempts import CallOutcome
from model_gateway.call import FailureKind
from model_gateway.command_line import main
from model_gateway.config import Model
from model_gateway.exits import USAGE
from model_gateway.gateway import Gateway
from model_gateway.schema_dialect import SchemaDialect
from tests.model_gateway.conftest import MakeCaller
from tests.model_gateway.fruit_calls import a_question
from tests.model_gateway.serving.conftest import MakeServe, alive, started
from tests.waiting import until

HELD = {"type": "object", "properties": {"held": {"type": "string"}}}


def served(make_serve: MakeServe, *arguments: str, **changes: Any) -> Model:
    """Return an entry whose server is the fake one."""
    options, attempts = changes.pop("options", {}), changes.pop("max_attempts", 2)
    serve = make_serve(*arguments, **changes)
    return config.entry(
        {"name": "own", "provider": "openai", "model_id": "fake", "local": True,
         "base_url": "http://127.0.0.1:{port}/v1", "structured": "prompt", "max_attempts": attempts,
         "options": options, "serve": serve.model_dump()}
    )  # fmt: skip


def asked(make_caller: MakeCaller, model: Model, *texts: str) -> list[CallOutcome]:
    """Put one call after the other to the model."""

    async def scenario() -> list[CallOutcome]:
        async with Gateway(build=providers.build) as gateway:
            caller = make_caller(model)
            return [
                await gateway.answer(
                    a_question(
                        key=str(number), schema=HELD, messages=[{"role": "user", "content": text}]
                    ),
                    caller,
                )
                for number, text in enumerate(texts)
            ]

    return asyncio.run(scenario())


def test_first_call_starts_it_and_a_death_is_survived(
    make_serve: MakeServe, traces: Path, make_caller: MakeCaller
) -> None:
    """The call that its server dies of fails as the world's; the next one is answered."""
    model = served(make_serve, options={"schema_dialect": "json_schema"}, max_attempts=1)
    first, deadly, after = asked(make_caller, model, "hello", "die", "hello again")
    assert first.attempt.text == '{"held": "yes"}'
    assert deadly.failure is not None
    assert deadly.failure.kind is FailureKind.connection
    assert "I was told to die" in deadly.failure.message
    assert after.failure is None
    assert len(started(traces)) == 2


def test_server_that_does_not_start_costs_nothing(
    make_serve: MakeServe, make_caller: MakeCaller
) -> None:
    """The failure is the entry's, with the server's last words; nothing was sent."""
    model = served(make_serve, "--exit", "--says", "unknown flag --nonsense")
    [outcome] = asked(make_caller, model, "hello")
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.configuration
    assert "unknown flag --nonsense" in outcome.failure.message
    assert (outcome.attempt.source, outcome.attempt.cost) == ("none", 0.0)


@pytest.mark.parametrize("dialect", SchemaDialect)
def test_dialect_is_found_and_remembered(
    dialect: SchemaDialect, make_serve: MakeServe, make_caller: MakeCaller, tmp_path: Path
) -> None:
    """The reply is held to the schema where the server can do it, without a setting."""
    model = served(make_serve, "--dialect", dialect)
    [outcome] = asked(make_caller, model, "hello")
    is_held = dialect is not SchemaDialect.none
    assert outcome.attempt.text == ('{"held": "yes"}' if is_held else "Trees are green.")
    memory = tmp_path / "cache" / "plumbline" / "schema_dialects.json"
    assert memory.exists() is is_held
    if is_held:
        assert list(json.loads(memory.read_text()).values()) == [dialect]


def test_memory_that_has_become_wrong_is_corrected(
    make_serve: MakeServe, make_caller: MakeCaller, tmp_path: Path
) -> None:
    """After an update of the server, the second attempt is in its new dialect."""
    model = served(make_serve, "--dialect", "json_object")
    asked(make_caller, model, "hello")
    memory = tmp_path / "cache" / "plumbline" / "schema_dialects.json"
    memory.write_text(memory.read_text().replace("json_object", "json_schema"))
    [outcome] = asked(make_caller, model, "hello again")
    assert outcome.attempt.number == 2
    assert outcome.attempt.text == '{"held": "yes"}'
    assert "json_object" in memory.read_text()


def test_serve_keeps_it_up_until_it_is_interrupted(
    make_serve: MakeServe, traces: Path, tmp_path: Path
) -> None:
    """The command says where it answers; after Ctrl-C the server is gone."""
    serve = make_serve()
    entries = tmp_path / "llm_config"
    entries.mkdir()
    words = ", ".join(json.dumps(word) for word in serve.command)
    (entries / "own.toml").write_text(
        'name = "own"\nprovider = "openai"\nmodel_id = "m"\nbase_url = "http://127.0.0.1:{port}"\n'
        f"[serve]\ncommand = [{words}]\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "model_gateway", "serve", "own"], cwd=tmp_path, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert process.stderr is not None
    assert "log.txt" in process.stderr.readline()
    assert "own answers at http://127.0.0.1:" in process.stderr.readline()
    [pid] = started(traces)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 0
    assert "ends, unless" in said
    until(lambda: not alive(pid))


def test_serve_is_for_entries_with_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    """For another entry the message says what it lacks."""
    assert main(["serve", "sim"]) == USAGE
    assert "has no [serve]" in capsys.readouterr().err
