"""Addresses as entries and variables give them."""

from __future__ import annotations

from typing import Any

import pytest

from model_gateway.config import Model
from model_gateway.entry_settings import server_url

DEFAULT = "https://default.example/v1"


@pytest.mark.parametrize(
    ("entry", "variable", "url"),
    [
        ({}, None, DEFAULT),
        ({"base_url": "http://own.example"}, None, "http://own.example"),
        ({"base_url": "http://own.example"}, "http://set.example ", "http://set.example"),
        ({"base_url": "http://own.example"}, "", "http://own.example"),
        ({"base_url": "own.example/v1"}, None, "https://own.example/v1"),
        ({"local": True}, "localhost:8080/v1", "http://localhost:8080/v1"),
    ],
)
def test_variable_comes_before_entry_before_default(
    entry: dict[str, Any], variable: str | None, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable counts as none; only a local server is reached without encryption."""
    if variable is not None:
        monkeypatch.setenv("SOME_URL", variable)
    values = {"name": "m", "provider": "openai", "model_id": "m-1", "base_url_env": "SOME_URL"}
    assert server_url(Model.model_validate({**values, **entry}), DEFAULT) == url
