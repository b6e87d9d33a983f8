"""JSON schemas for servers that constrain a model's output to a schema."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_DEFINITIONS = "#/$defs/"
_COPIED = ("type", "title", "description", "enum", "const")
_SHAPES = {"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"}


class _TooFreeError(Exception):
    """The schema allows what no strict schema can express."""


def strict(schema: Schema, *, all_required: bool) -> Schema | None:
    """Return `schema` with every object closed, or None where that would change what fits it.

    None means that the schema has an object with free keys (`dict[str, str]`), a value of any type
    or a root that is not an object. Keywords that such servers refuse (defaults, lengths,
    patterns, formats) are left out: the reply is checked against the whole schema afterwards.
    Titles and descriptions stay. With `all_required` every property becomes required, as OpenAI
    demands.
    """
    definitions: dict[str, Schema] = schema.get("$defs", {})
    root = {key: value for key, value in schema.items() if key != "$ref"}
    root |= definitions.get(str(schema.get("$ref", "")).removeprefix(_DEFINITIONS), {})
    if root.get("type") != "object":
        return None
    try:
        closed = _closed(root, all_required=all_required)
        rest = {n: _closed(d, all_required=all_required) for n, d in definitions.items()}
    except _TooFreeError:
        return None
    return {**closed, "$defs": rest} if rest else closed


def _closed(node: Schema, *, all_required: bool) -> Schema:
    if not _SHAPES & node.keys() or isinstance(node.get("type"), list):
        raise _TooFreeError
    closed: Schema = {key: node[key] for key in _COPIED if key in node}
    variants = _variants(node)
    if variants:
        closed["anyOf"] = [_closed(v, all_required=all_required) for v in variants]
    if "$ref" in node:
        reference = _reference(node)
        if not closed:
            return reference
        # A reference may have no sibling keys, but the model should read its description.
        closed["anyOf"] = [reference]
    if node.get("type") == "array":
        if "prefixItems" in node:
            raise _TooFreeError
        closed["items"] = _closed(node.get("items", {}), all_required=all_required)
    if node.get("type") == "object":
        closed |= _object(node, all_required=all_required)
    return closed


def _variants(node: Schema) -> list[Schema]:
    if len(node.get("allOf", [])) > 1:
        raise _TooFreeError
    variants: list[Schema] = node.get("anyOf") or node.get("oneOf") or node.get("allOf") or []
    return variants


def _reference(node: Schema) -> Schema:
    if not node["$ref"].startswith(_DEFINITIONS):
        raise _TooFreeError
    return {"$ref": node["$ref"]}


def _object(node: Schema, *, all_required: bool) -> Schema:
    free = node.get("additionalProperties", "properties" not in node)
    if free is not False or "patternProperties" in node:
        raise _TooFreeError
    properties = {
        name: _closed(value, all_required=all_required)
        for name, value in node.get("properties", {}).items()
    }
    required = list(properties) if all_required else list(node.get("required", []))
    return {"properties": properties, "required": required, "additionalProperties": False}
