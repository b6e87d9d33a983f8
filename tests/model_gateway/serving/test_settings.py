"""What an entry says of its server is checked when it is read, and filled in when it is used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model_gateway import config
from model_gateway.errors import ConfigError
from model_gateway.serving.settings import Serve, usable_cores


def an_entry(**serve: object) -> config.Model:
    """Return an entry with a server."""
    return config.entry(
        {"name": "own", "provider": "openai", "model_id": "m", "local": True,
         "base_url": "http://127.0.0.1:{port}/v1", "base_url_env": "OWN_URL",
         "serve": {"command": ["{python}"], **serve}}
    )  # fmt: skip


def test_placeholders_are_filled(tmp_path: Path) -> None:
    """The port alone is left for the keeper; other braces stay as they are."""
    weights = tmp_path / "w.gguf"
    weights.touch()
    words = ["{python}", "{model}", "{threads}", "x{port}", '{"a": 1}']
    plan = Serve(command=words, model=str(weights), threads=3).plan("own", {})
    assert plan.words == [sys.executable, str(weights), "3", "x{port}", '{"a": 1}']
    assert Serve(command=["{python}", "{threads}"]).plan("own", {}).words[1] == str(
        max(1, usable_cores() - 1)
    )


def test_weights_of_a_package_are_found() -> None:
    """A file of an installed package is named by the package and its path there."""
    plan = Serve(command=["{python}", "{model}"], model="package:model_gateway/py.typed").plan("m")
    assert Path(plan.words[1]).name == "py.typed"


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ({"needs": ["no_such_package"], "install": "make local"},
         ("no_such_package is not installed", "make local")),
        ({"command": ["no-such-program"]}, ("no-such-program is not installed",)),
        ({"command": ["{python}", "{model}"]}, ("no model", "path")),
        ({"command": ["{python}", "{model}"], "model": "/no/such.gguf"}, ("/no/such.gguf",)),
    ],
    ids=["package", "program", "no weights named", "no weights there"],
)  # fmt: skip
def test_what_is_missing_is_named(serve: dict[str, object], words: tuple[str, ...]) -> None:
    """The message says what to install or to correct."""
    model = an_entry(**serve)
    assert model.serve is not None
    with pytest.raises(ConfigError) as caught:
        model.serve.plan(model.name)
    assert all(word in str(caught.value) for word in words)


def test_list_shows_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry is ready without its program where a variable names another server."""
    model = an_entry(needs=["no_such_package"])
    assert "no_such_package" in (model.missing() or "")
    monkeypatch.setenv("OWN_URL", "http://127.0.0.1:1/v1")
    assert model.missing() is None
    assert not model.is_served


def test_other_weights_are_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's identity has how its server was started, unless another server is used."""
    one, other = an_entry(model="a.gguf"), an_entry(model="b.gguf")
    assert one.server == other.server
    assert one.server_parts != other.server_parts
    monkeypatch.setenv("OWN_URL", "http://127.0.0.1:1/v1")
    assert one.server_parts == other.server_parts == ("http://127.0.0.1:1/v1",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"serve": {"command": ["x", "{pot}"]}}, ("{pot} is not one of {port}, {model}",)),
        ({"serve": {"command": []}}, ("serve.command",)),
        ({"base_url": "http://127.0.0.1/v1"}, ("needs {port} in its base_url",)),
    ],
)
def test_wrong_entry_is_refused(changes: dict[str, object], words: tuple[str, ...]) -> None:
    """The message names the part that is wrong."""
    values = an_entry().model_dump() | changes
    with pytest.raises(ConfigError) as caught:
        config.entry(values)
    assert all(word in str(caught.value) for word in words)
