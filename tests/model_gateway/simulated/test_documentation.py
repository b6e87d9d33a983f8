"""The document of the ground truth says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from model_gateway.providers.simulated.persona import PERSONAS, Persona
from model_gateway.providers.simulated.roles import ROLES
from model_gateway.providers.simulated.rules import Rules

TEXT = (Path(__file__).parents[3] / "docs" / "simulated_model.md").read_text(encoding="utf-8")


def test_persona_table_is_the_code() -> None:
    """Every parameter of every persona stands in the table with its value."""
    table = {
        cells[0]: cells[1:]
        for line in TEXT.splitlines()
        if len(cells := [cell.strip(" `") for cell in line.strip("|").split("|")]) > len(PERSONAS)
    }
    assert table["parameter"] == list(PERSONAS)
    for field in fields(Persona):
        documented = [float(cell) for cell in table[field.name]]
        assert documented == [getattr(persona, field.name) for persona in PERSONAS.values()]


@pytest.mark.parametrize("field", fields(Rules), ids=lambda field: field.name)
def test_every_strength_is_documented(field: object) -> None:
    """The table of rules names each strength, and its value where it is not 1."""
    name = getattr(field, "name", "")
    default = getattr(Rules(), name)
    lines = [line for line in TEXT.splitlines() if line.startswith(("| **R", "| R1"))]
    last_cells = " ".join(line.rsplit("|", 2)[1] for line in lines)
    assert re.search(rf"\b{name}\b{'' if default == 1 else f' = {default:g}'}", last_cells)


def test_every_parameter_is_in_a_rule() -> None:
    """Parameters of a persona stand in the section of the rules, in code."""
    rules = TEXT[TEXT.index("## The rules") : TEXT.index("## References")]
    unnamed = [f.name for f in fields(Persona) if f"`{f.name}`" not in rules]
    assert unnamed == ["name_words"]


@pytest.mark.parametrize("name", [*PERSONAS, *ROLES])
def test_every_persona_and_role_is_described(name: str) -> None:
    """Each is described."""
    assert f"*{name}*" in TEXT or f"`sim-{name}`" in TEXT
