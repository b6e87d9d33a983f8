"""The JSON schema of a reply, resolved once into a tree that is quick to walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_DEEPEST = 12
_TURNS = 2
_MERGED = ("description", "title")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One node of a reply.

    `kind` is object, map, array, tuple, string, integer, number, boolean, null, choice, any,
    or end where a recursive shape is not followed further. `low` and `high` bound the length
    of an array or string, or the value of a number. `choices` are the values of a choice, `keys`
    the prescribed keys of a map. `items` is what an array or a map holds.
    """

    kind: str
    name: str = ""
    description: str = ""
    nullable: bool = False
    choices: tuple[Any, ...] = ()
    properties: tuple[Shape, ...] = ()
    items: Shape | None = None
    keys: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    format: str = ""
    pattern: str = ""
    path: tuple[str, ...] = ()

    def property(self, name: str) -> Shape | None:
        """Return the property called `name`."""
        return next((p for p in self.properties if p.name == name), None)

    def walk(self) -> Iterator[Shape]:
        """Yield this node and every node below it."""
        yield self
        for child in self.properties:
            yield from child.walk()
        if self.items is not None:
            yield from self.items.walk()


@dataclass(frozen=True)
class _Reader:
    definitions: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[str, ...] = ()

    def read(self, schema: Any, name: str, path: tuple[str, ...]) -> Shape:
        """Return the tree of `schema`; a recursive shape ends after a few turns."""
        named = _references(schema)
        if len(path) > _DEEPEST or any(self.within.count(one) >= _TURNS for one in named):
            return Shape(kind="end", name=name, path=path, nullable=True)
        inner = replace(self, within=(*self.within, *named)) if named else self
        return inner._read(self._resolved(schema), name, path)  # noqa: SLF001 - the same class

    def _read(self, resolved: Mapping[str, Any], name: str, path: tuple[str, ...]) -> Shape:
        bare = Shape(
            kind="any", name=name, path=path, description=str(resolved.get("description") or ""),
            format=str(resolved.get("format") or ""), pattern=str(resolved.get("pattern") or ""),
        )  # fmt: skip
        options = resolved.get("anyOf") or resolved.get("oneOf")
        if options:
            return self._either(options, bare)
        if "const" in resolved or resolved.get("enum"):
            choices = (resolved["const"],) if "const" in resolved else tuple(resolved["enum"])
            return replace(bare, kind="choice", choices=choices)
        kind = resolved.get("type")
        if isinstance(kind, list):
            return self._either([{**resolved, "type": one} for one in kind], bare)
        if kind == "object" or "properties" in resolved:
            return self._object(resolved, bare)
        return self._array(resolved, bare) if kind == "array" else _plain(resolved, bare)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        resolved: dict[str, Any] = dict(schema) if isinstance(schema, Mapping) else {}
        for _ in range(_DEEPEST):
            parts = resolved.pop("allOf", [])
            if "$ref" in resolved:
                parts = [self.definitions.get(str(resolved.pop("$ref")).rsplit("/", 1)[-1], {})]
            if not parts:
                break
            for part in parts:
                # A key beside a reference, such as a description, is nearer to the field.
                resolved = {**part, **{k: v for k, v in resolved.items() if v or k not in _MERGED}}
        return resolved

    def _either(self, options: list[Any], bare: Shape) -> Shape:
        real = [option for option in options if self._resolved(option).get("type") != "null"]
        if not real:
            return replace(bare, kind="null", nullable=True)
        chosen = self.read(real[0], bare.name, bare.path)
        return replace(
            chosen,
            nullable=chosen.nullable or len(real) < len(options),
            description=bare.description or chosen.description,
        )

    def _object(self, resolved: Mapping[str, Any], bare: Shape) -> Shape:
        properties = resolved.get("properties") or {}
        if properties:
            read = tuple(self.read(s, n, (*bare.path, n)) for n, s in properties.items())
            return replace(bare, kind="object", properties=read)
        extra = resolved.get("additionalProperties")
        if extra is False:
            return replace(bare, kind="object")
        names = self._resolved(resolved.get("propertyNames") or {}).get("enum") or ()
        items = self.read(extra if isinstance(extra, Mapping) else {}, "", (*bare.path, "*"))
        if items.kind == "any":
            items = replace(items, kind="string")
        return replace(bare, kind="map", items=items, keys=tuple(str(n) for n in names))

    def _array(self, resolved: Mapping[str, Any], bare: Shape) -> Shape:
        listed = resolved.get("prefixItems")
        low, high = resolved.get("minItems"), resolved.get("maxItems")
        if listed:
            read = tuple(
                self.read(s, bare.name, (*bare.path, str(i))) for i, s in enumerate(listed)
            )
            return replace(bare, kind="tuple", properties=read)
        items = self.read(resolved.get("items") or {"type": "string"}, "", (*bare.path, "[]"))
        high = 0 if items.kind == "end" else high
        return replace(bare, kind="array", items=items, low=low, high=high)


def _references(schema: Any) -> list[str]:
    """Return the definitions that `schema` itself refers to."""
    if not isinstance(schema, Mapping):
        return []
    merged = [part for part in schema.get("allOf") or () if isinstance(part, Mapping)]
    return [str(part["$ref"]) for part in (schema, *merged) if "$ref" in part]


def _plain(resolved: Mapping[str, Any], bare: Shape) -> Shape:
    kind = resolved.get("type")
    if kind in {"integer", "number"}:
        low = _bound(resolved, "minimum", "exclusiveMinimum", 1)
        high = _bound(resolved, "maximum", "exclusiveMaximum", -1)
        return replace(bare, kind=str(kind), low=low, high=high)
    if kind == "string":
        low, high = resolved.get("minLength"), resolved.get("maxLength")
        return replace(bare, kind="string", low=low, high=high)
    return replace(bare, kind=str(kind)) if kind in {"boolean", "null"} else bare


def _bound(schema: Mapping[str, Any], closed: str, opened: str, step: int) -> float | None:
    if isinstance(schema.get(closed), int | float):
        return float(schema[closed])
    if isinstance(schema.get(opened), int | float):
        return float(schema[opened]) + step
    return None


def shape_of(schema: Mapping[str, Any]) -> Shape:
    """Return the tree of `schema`, with references followed to a bounded depth."""
    definitions = schema.get("$defs") or schema.get("definitions") or {}
    return _Reader(definitions).read(schema, "", ())
