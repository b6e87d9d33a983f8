"""`docs/models.md` names every setting of an entry and every option of every provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from pydantic import BaseModel

from model_gateway import providers
from model_gateway.config import Model, Price
from model_gateway.serving.settings import Serve

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
CODE = re.findall(r"```toml\n(.*?)```|`([^`\n]+)`", PAGE, re.DOTALL)
NAMED = {
    name
    for block, span in CODE
    for names in re.findall(r"(\w+) = |^\[?(\w+)\]?\s*(?:#.*)?$", block or span, re.MULTILINE)
    for name in names
}
ROWS = [line.split("|") for line in PAGE.splitlines() if re.match(r"\| `\w+`", line)]
DOCUMENTED = {
    (provider, option)
    for _, names, options, *_ in ROWS
    for provider in re.findall(r"`(\w+)`", names)
    for option in re.findall(r"`(\w+)`", options)
}


def options() -> Iterator[tuple[str, str]]:
    """Yield each provider with each of its options, from the classes that check them."""
    for info in iter_modules(providers.__path__):
        module = import_module(f"{providers.__name__}.{info.name}")
        if info.ispkg:
            module = import_module(f"{module.__name__}.provider")
        shape = getattr(module, "Options", None) or getattr(module, "_Options", None)
        if shape is not None:
            yield from ((info.name, name) for name in shape.model_fields)


def test_every_option_of_every_provider_is_in_the_table() -> None:
    """And the table has no option that a provider would refuse."""
    accepted = set(options())
    checked = {provider for provider, _ in accepted}
    assert checked == {"openai", "anthropic", "ollama", "simulated"}
    assert sorted(accepted - DOCUMENTED) == []
    assert sorted((p, o) for p, o in DOCUMENTED - accepted if p in checked) == []


@pytest.mark.parametrize("shape", [Model, Price, Serve])
def test_every_setting_of_an_entry_is_on_the_page(shape: type[BaseModel]) -> None:
    """A user who reads the page knows every key of the file."""
    assert sorted(set(shape.model_fields) - NAMED) == []
