"""The gateway's commands, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model_gateway.command_line import main
from model_gateway.config import CONFIG_DIR_VARIABLE
from tests.wire.script import Say, Status
from tests.wire.server import WireServer

ENTRY = """
name = "wired"
aliases = ["w"]
provider = "openai"
model_id = "wired-1"
base_url = "{url}"
key_env = "WIRED_KEY"
price = {{input = 1, output = 2}}
"""


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of an entry `wired` in a configuration of its own."""
    monkeypatch.setenv(CONFIG_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setenv("WIRED_KEY", "sk-a-test-key")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "wired.toml"
    path.write_text(ENTRY.format(url="http://127.0.0.1:9/v1"))
    return path


def test_models_lists_what_there_is(
    entry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list, also without any word, names alias, id, price, readiness and the default."""
    entry.with_name("default.toml").write_text('default_models = ["w"]')
    assert main([]) == 0
    [line] = [row for row in capsys.readouterr().out.splitlines() if "wired-1" in row]
    assert line.split() == ["*", "wired", "w", "openai", "wired-1", "1/2", "yes"]
    monkeypatch.delenv("WIRED_KEY")
    assert main(["list"]) == 0
    assert "no: the environment variable WIRED_KEY is not set" in capsys.readouterr().out


def test_models_as_json(entry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs every model is one object; without a default none is marked."""
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["wired"] == {
        "name": "wired", "aliases": ["w"], "provider": "openai", "model_id": "wired-1",
        "price": {"input": 1.0, "output": 2.0}, "ready": True, "missing": None, "default": False,
    }  # fmt: skip
    assert "anthropic-claude-haiku-4-5-pinned" in rows


def test_ping_says_what_came(entry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that answers is shown with its reply, tokens and cost; one token is asked for."""
    with WireServer("openai", Say(text="pong")) as server:
        entry.write_text(ENTRY.format(url=server.base_url))
        assert main(["ping", "w"]) == 0
    said = capsys.readouterr().out
    assert "'pong'" in said
    assert "0.000025 US dollars" in said
    assert [seen.max_tokens for seen in server.requests] == [16]


def test_ping_keeps_the_caps_of_the_environment(
    entry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cap without room, one that cannot be kept and one that is no number send nothing."""
    with WireServer("openai") as server:
        priced = ENTRY.format(url=server.base_url)
        for name, value, text in (
            ("PLUMBLINE_MAX_CALLS", "0", priced),
            ("PLUMBLINE_MAX_COST", "nan", priced),
            ("PLUMBLINE_MAX_COST", "inf", priced),
            ("PLUMBLINE_MAX_COST", "1", priced.partition("price")[0]),
        ):
            entry.write_text(text)
            with monkeypatch.context() as patch:
                patch.setenv(name, value)
                assert main(["ping", "w"]) != 0
    assert server.requests == []
    said = capsys.readouterr().err
    assert "cannot be kept for wired" in said
    assert "'nan' is not an amount" in said


def test_ping_of_a_model_that_fails(entry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is 1, printed once and without the key; a refused key is 2."""
    with WireServer("openai", *[Status(code=500)] * 3, Status(code=401, echo_key=True)) as server:
        entry.write_text(ENTRY.format(url=server.base_url))
        assert main(["ping", "w"]) == 1
        assert main(["ping", "w"]) == 2
    assert len(server.requests) == 4
    said = capsys.readouterr().err
    assert "server:" in said
    assert "sk-a-test-key" not in said


def test_ping_of_what_cannot_be_asked(
    entry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown model, a missing key and a broken entry are 2, and each is named."""
    monkeypatch.delenv("WIRED_KEY")
    assert main(["ping", "wird"]) == 2
    assert main(["ping", "wired"]) == 2
    entry.write_text("name = 3")
    assert main(["list"]) == 2
    said = capsys.readouterr().err
    for words in ("Did you mean wired", "WIRED_KEY is not set", "wired.toml"):
        assert words in said


def test_module_and_its_help() -> None:
    """`python -m model_gateway --help` shows examples and exit codes, and imports no SDK."""
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "model_gateway", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "python -m model_gateway ping" in shown.stdout
    assert "130" in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert not imported & {"openai", "anthropic", "ollama", "aiohttp", "asyncio", "psutil"}
