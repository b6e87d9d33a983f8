"""The texts in the host's code that a model reads, and where they are in what was sent."""

from __future__ import annotations

import hashlib
import json
import re
import string
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from self_improve.host import assembled_texts, template_uses
from self_improve.host.contract import Host
from self_improve.host.templates import TemplateUse

SHORTEST = 12
CONSTANT = "constant"
DESCRIPTION = "description"
_PROPERTIES = '"properties"'

# What `%`, string.Template and Jinja fill in.
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sdrf]|\$\w+|\$\{\w+\}|\{\{\s*[\w.]+\s*\}\}")


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One prompt surface. Its id is `module:NAME` or `module:Model.field`.

    `assembled_into` names what was assembled from this constant at import, with its module if
    that is another: setting the constant later changes nothing that is sent, so a candidate for
    it must be code. `heirs` are the names of the models that inherit a described field and send
    it as their own. `templates` says how the code fills the text in, if it does.
    """

    id: str
    kind: str
    text: str
    assembled_into: tuple[str, ...] = ()
    heirs: tuple[str, ...] = ()
    templates: tuple[TemplateUse, ...] = ()

    @property
    def module(self) -> str:
        """The module that holds the text."""
        return self.id.split(":")[0]

    @property
    def name(self) -> str:
        """The constant's name, or the model's and the field's with a dot between them."""
        return self.id.split(":")[1]

    @property
    def digest(self) -> str:
        """The SHA-256 of the text."""
        return digest(self.text)

    def to_row(self) -> dict[str, Any]:
        """Return the surface as plain JSON values."""
        row = asdict(self) | {"digest": self.digest}
        del row["templates"]
        return row | (
            {"templates": [use.to_row() for use in self.templates]} if self.templates else {}
        )

    def with_text(self, texts: Mapping[str, str]) -> Surface:
        """Return the surface as a candidate's `texts` make it."""
        return replace(self, text=texts[self.id]) if self.id in texts else self


def digest(text: str) -> str:
    """Return the SHA-256 of `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def from_row(row: Mapping[str, Any]) -> Surface:
    """Read a surface from plain JSON values."""
    return Surface(
        id=row["id"],
        kind=row["kind"],
        text=row["text"],
        assembled_into=tuple(row.get("assembled_into", ())),
        heirs=tuple(row.get("heirs", ())),
        templates=tuple(map(TemplateUse.from_row, row.get("templates", ()))),
    )


def find(host: Host) -> dict[str, Surface]:
    """Return every text under the host's import roots that may be a prompt surface, by its id.

    Only modules that are loaded now count; what the host file ignores is left out.
    """
    modules = {name: module for name, module in sorted(sys.modules.items()) if host.owns(name)}
    assigned = {name: assembled_texts.assignments(module) for name, module in modules.items()}
    values = [
        value
        for name, module in modules.items()
        for value in assembled_texts.values(name, module, assigned[name])
    ]
    surfaces = {
        surface.id: surface
        for name, module in modules.items()
        for surface in (
            *_constants(name, module, assigned[name], values), *_descriptions(name, module)
        )
        if not host.surfaces.ignores(surface.id)
    }  # fmt: skip
    texts = {id_: one.text for id_, one in surfaces.items() if one.kind == CONSTANT}
    uses = template_uses.find(modules, texts)
    return {id_: replace(one, templates=uses.get(id_, ())) for id_, one in surfaces.items()}


@dataclass(frozen=True)
class Description:
    """A description in a schema that was sent: its model, its field and its text.

    The model is None where the schema has no title, the field where the text describes no field.
    """

    model: str | None
    field: str | None
    text: str


def messages_with(surface: Surface, messages: Iterable[str]) -> list[str]:
    """Return the messages that hold a constant's text, whole or as a filled-in template."""
    templates = [[surface.text.strip()], *_templates(surface.text)]
    return [one for one in messages if any(_in_order(parts, one) for parts in templates)]


def descriptions_of(surface: Surface, descriptions: Iterable[Description]) -> list[Description]:
    """Return the descriptions of this surface: of the same field, with the same text."""
    model, _, field = surface.name.partition(".")
    return [
        one
        for one in descriptions
        if one.text == surface.text
        and one.field == field
        and one.model in (model, *surface.heirs, None)
    ]


def descriptions_in(schema: Any) -> set[Description]:
    """Return every description in a JSON schema."""
    descriptions: set[Description] = set()
    _describe(schema, None, None, descriptions)
    return descriptions


def descriptions_in_text(text: str) -> set[Description]:
    """Return every description in the JSON schemas inside a message.

    Some libraries write the schema into the prompt, with its braces doubled as in a template.
    """
    descriptions: set[Description] = set()
    if _PROPERTIES in text:
        for written in (text, text.replace("{{", "{").replace("}}", "}")):
            for value in _objects_in(written):
                descriptions |= descriptions_in(value)
    return descriptions


def _objects_in(text: str) -> Iterator[Any]:
    """Yield the JSON objects in `text` that have properties, as schemas do."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            value, end = None, start + 1
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            yield value
        start = text.find("{", end)


def _describe(node: Any, model: str | None, field: str | None, into: set[Description]) -> None:
    if isinstance(node, list):
        for item in node:
            _describe(item, model, field, into)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("description"), str):
        into.add(Description(model, field, node["description"]))
    properties = node.get("properties")
    title = node.get("title") if isinstance(properties, dict) else None
    for key, value in node.items():
        if key == "properties" and isinstance(value, dict):
            for name, inner in value.items():
                _describe(inner, title if isinstance(title, str) else None, name, into)
        elif key == "$defs" and isinstance(value, dict):
            for inner in value.values():
                _describe(inner, None, None, into)
        else:
            _describe(value, model, field, into)


def _in_order(parts: Iterable[str], message: str) -> bool:
    end = 0
    for part in parts:
        start = message.find(part, end)
        if start < 0:
            return False
        end = start + len(part)
    return True


def _templates(text: str) -> Iterator[list[str]]:
    """Yield the fixed parts of `text` as a template: for `str.format`, and of other kinds."""
    with suppress(ValueError):
        parsed = list(string.Formatter().parse(text))
        if any(field is not None for _, field, _, _ in parsed):
            yield from _enough([literal for literal, _, _, _ in parsed])
    if _PLACEHOLDER.search(text):
        yield from _enough(_PLACEHOLDER.split(text.replace("%%", "%")))


def _enough(literals: Iterable[str]) -> Iterator[list[str]]:
    """Yield the fixed parts, if they are long enough to recognize a text by."""
    parts = [literal.strip() for literal in literals if literal.strip()]
    if sum(map(len, parts)) >= SHORTEST:
        yield parts


def _constants(
    name: str, module: ModuleType, assigned: Iterable[str], values: Iterable[assembled_texts.Value]
) -> Iterator[Surface]:
    """Yield the string constants that this very module assigns at its top level."""
    for attribute in assigned:
        text = vars(module).get(attribute)
        if not isinstance(text, str) or len(text.strip()) < SHORTEST or attribute.startswith("__"):
            continue
        if not any(character.isspace() for character in text.strip()) and text.isascii():
            continue  # A name, a path or a pattern; scripts without spaces are not ASCII.
        surface_id = f"{name}:{attribute}"
        users = [v.id for v in values if v.id != surface_id and v.is_made_of(text)]
        yield Surface(
            id=surface_id,
            kind=CONSTANT,
            text=text,
            assembled_into=tuple(u.removeprefix(f"{name}:") for u in users),
        )


def _descriptions(name: str, module: ModuleType) -> Iterator[Surface]:
    """Yield the field descriptions of the pydantic models that this very module defines."""
    for attribute, value in vars(module).items():
        if not (isinstance(value, type) and issubclass(value, BaseModel)):
            continue
        if value.__module__ != name or value.__name__ != attribute:
            continue
        for field, info in value.model_fields.items():
            if info.description and field in value.__annotations__:
                yield Surface(
                    id=f"{name}:{attribute}.{field}",
                    kind=DESCRIPTION,
                    text=info.description,
                    heirs=tuple(heir.__name__ for heir in heirs_of(value, field)),
                )


def heirs_of(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    """Return the classes that inherit the field from `model`, each with its own copy of it."""
    direct = [heir for heir in model.__subclasses__() if field not in heir.__annotations__]
    return [one for heir in direct for one in (heir, *heirs_of(heir, field))]
