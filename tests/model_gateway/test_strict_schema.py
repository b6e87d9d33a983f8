"""Closing schemas for servers that hold a model to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from model_gateway.strict_schema import strict


class Colour(StrEnum):
    """An enumeration."""

    red = "red"
    green = "green"


class Leaf(BaseModel):
    """A part, in a colour."""

    kind: Literal["leaf"] = "leaf"
    colour: Colour = Field(default=Colour.green, description="How it looks.")


class Thorn(BaseModel):
    """Another part."""

    kind: Literal["thorn"] = "thorn"
    length: int | None = Field(default=None, ge=0)


class Branch(BaseModel):
    """A part that holds parts, itself among them."""

    name: str = Field(description="What it is called.", max_length=9)
    parts: list[Annotated[Leaf | Thorn, Field(discriminator="kind")]] = Field(max_length=3)
    side: Branch | None = Field(default=None, description="A branch of this branch.")


class Empty(BaseModel):
    """A schema without fields."""


class Free(BaseModel):
    """Free keys."""

    words: dict[str, str]


class Anything(BaseModel):
    """A value of any type."""

    value: Any


class Pair(BaseModel):
    """A list of fixed places."""

    both: tuple[int, str]


class Open(BaseModel):
    """An object that allows more than it names."""

    model_config = ConfigDict(extra="allow")

    name: str


class Numbers(RootModel[list[int]]):
    """A root that is not an object."""


ALLOWED = {
    "type", "title", "description", "enum", "const", "anyOf", "$ref", "$defs", "properties",
    "required", "additionalProperties", "items",
}  # fmt: skip


def nodes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return `schema` and every schema in it."""
    inner = [
        *schema.get("$defs", {}).values(),
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", []),
        *([schema["items"]] if "items" in schema else []),
    ]
    return [schema, *(node for one in inner for node in nodes(one))]


def texts(schema: Any) -> set[str]:
    """Return every description in a schema, wherever it stands."""
    if isinstance(schema, list):
        return set().union(*map(texts, schema), set())
    if not isinstance(schema, dict):
        return set()
    descriptions = {schema["description"]} if isinstance(schema.get("description"), str) else set()
    return descriptions.union(*map(texts, schema.values()))


@pytest.mark.parametrize("model", [Branch, Leaf, Thorn, Empty])
@pytest.mark.parametrize("all_required", [True, False])
def test_closed_schema_has_nothing_that_strict_mode_refuses(
    model: type[BaseModel], *, all_required: bool
) -> None:
    """Every object is closed, no keyword is left that servers refuse, every reference is bare."""
    closed = strict(model.model_json_schema(), all_required=all_required)
    assert closed is not None
    assert closed["type"] == "object"
    for node in nodes(closed):
        assert node.keys() <= ALLOWED
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
        if "$ref" in node:
            assert node.keys() == {"$ref"}
            assert node["$ref"].removeprefix("#/$defs/") in closed["$defs"]
        if all_required and "properties" in node:
            assert node["required"] == list(node["properties"])


@pytest.mark.parametrize("model", [Branch, Leaf])
def test_every_description_stays(model: type[BaseModel]) -> None:
    """Descriptions are what the model reads, also those beside a reference."""
    schema = model.model_json_schema()
    closed = strict(schema, all_required=True)
    assert texts(closed) == texts(schema)
    assert "How it looks." in texts(closed) or "What it is called." in texts(closed)


def test_optional_fields_stay_optional_where_that_is_allowed() -> None:
    """Without all_required the schema's own list of required fields holds."""
    closed = strict(Branch.model_json_schema(), all_required=False)
    assert closed is not None
    assert closed["required"] == ["name", "parts"]


@pytest.mark.parametrize("model", [Free, Anything, Pair, Open, Numbers])
def test_schema_that_cannot_be_closed_is_distinguished(model: type[BaseModel]) -> None:
    """Free keys, any values, fixed places and other roots have no strict form."""
    assert strict(model.model_json_schema(), all_required=True) is None


@pytest.mark.parametrize(
    "field",
    [
        {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
        {"type": ["array", "null"]},
        {"allOf": [{"type": "string"}, {"pattern": "a"}]},
        {"$ref": "#/definitions/Leaf"},
        {"type": "object", "properties": {}, "patternProperties": {"a": {}}},
    ],
)
def test_keywords_that_pydantic_does_not_write_are_not_lost(field: dict[str, Any]) -> None:
    """A schema of other origin is not closed where closing would change its meaning."""
    schema = {"type": "object", "properties": {"field": field}}
    assert strict(schema, all_required=True) is None


def test_schema_is_not_changed() -> None:
    """The schema that is recorded stays as it was."""
    schema = Branch.model_json_schema()
    strict(schema, all_required=True)
    assert schema == Branch.model_json_schema()
