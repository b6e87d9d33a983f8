"""Prompt surfaces: found in the host's modules, and recognized in what was sent."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.host import surfaces
from self_improve.host.surfaces import (
    Description,
    Surface,
    descriptions_in,
    descriptions_in_text,
    descriptions_of,
    from_row,
    messages_with,
)
from tests.self_improve.hosts import Loaded, loaded, surface

PROMPTS = '''
"""The module's own text is no surface."""

import os
from typing import Final

PLAIN = "You find the levers of a plan."
ANNOTATED: str = "You weigh the levers of a plan."
FINAL: Final = "You choose among the levers of a plan."
UNSET: str
CONCATENATED = "You describe the levers " + "of a plan."
ADJACENT = (
    "You compare the levers "
    "of a plan."
)
MULTILINE = """\\
You name the levers of a plan.
"""
SHORT = "Be brief."
IDENTIFIER = "a_name_without_any_space"
JAPANESE = "計画の重要な決定を五つ挙げてください"
NUMBER = 12
LIST = ["You find the levers of a plan, too."]
__note__ = "A text that Python itself may look for."
OPTIMIZE_INSTRUCTIONS = "For optimizers only, never for models."

GUIDE = "Write in the language of the plan."
FILLED = f"You are careful. {GUIDE}"
JOINED = "You are quick. " + GUIDE

if os.sep:
    BRANCHED = "You work on this machine's plans."


def inside():
    LOCAL = "A text inside a function is none."
    return LOCAL
'''

USER = """
from HOST.prompts import GUIDE, PLAIN
from HOST import prompts

OWN = "You belong to this very module."
ELSEWHERE = f"Yes. {prompts.GUIDE}"
"""

MODELS = '''
from pydantic import BaseModel, Field
from typing import Annotated, Optional


class Inner(BaseModel):
    """A docstring of a model."""

    name: str = Field(description="A short name.")
    plain: int = 0
    noted: Annotated[str, Field(description="A note in an annotation.")] = ""


class Heir(Inner):
    more: str = Field(description="More of it.")


class Outer(BaseModel):
    inner: Inner = Field(description="The inner one.")
    several: list[Inner] = Field(description="Several inner ones.")
    perhaps: Optional[Heir] = None


Alias = Outer
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Return a host with prompts, a module that imports them, and models."""
    files = {"prompts": PROMPTS, "user": USER, "models": MODELS}
    with loaded(tmp_path_factory.mktemp("surfaces"), files) as package:
        yield package


@pytest.fixture(scope="module")
def by_id(package: Loaded) -> dict[str, Surface]:
    """Return its surfaces by what follows the package's name."""
    host = package.host(surfaces={"ignore": ["*:OPTIMIZE_INSTRUCTIONS"]})
    return {s.id.removeprefix(f"{package.name}."): s for s in surfaces.find(host).values()}


@pytest.mark.parametrize(
    "name",
    ["PLAIN", "ANNOTATED", "FINAL", "CONCATENATED", "ADJACENT", "MULTILINE", "JAPANESE", "GUIDE",
     "FILLED", "JOINED", "BRANCHED"],
)  # fmt: skip
def test_module_level_strings_are_found(
    package: Loaded, by_id: dict[str, Surface], name: str
) -> None:
    """However they are written, with the text and the very object that the module holds."""
    constant = by_id[f"prompts:{name}"]
    assert constant.text is vars(package["prompts"])[name]
    assert (constant.kind, constant.name) == ("constant", name)
    assert constant.module == f"{package.name}.prompts"


@pytest.mark.parametrize(
    "name",
    ["UNSET", "SHORT", "IDENTIFIER", "NUMBER", "LIST", "__note__", "OPTIMIZE_INSTRUCTIONS", "LOCAL",
     "__doc__", "os"],
)  # fmt: skip
def test_what_no_model_would_read_is_left_out(by_id: dict[str, Surface], name: str) -> None:
    """Short words, names, other values, locals, and what the host file ignores."""
    assert f"prompts:{name}" not in by_id


def test_imported_constants_belong_to_their_owner(by_id: dict[str, Surface]) -> None:
    """A module that imports a prompt has it not as its own."""
    assert {name for name in by_id if name.startswith("user:")} == {"user:OWN", "user:ELSEWHERE"}


def test_constant_that_went_into_another_says_so(by_id: dict[str, Surface]) -> None:
    """What was put together at import is named, in other modules too; nothing else is."""
    assembled = {name: one.assembled_into for name, one in by_id.items() if one.assembled_into}
    assert list(assembled) == ["prompts:GUIDE"]
    *text, other = sorted(assembled["prompts:GUIDE"], key=len)
    assert text == ["FILLED", "JOINED"]
    assert other.endswith(".user:ELSEWHERE")


def test_field_descriptions_are_found(by_id: dict[str, Surface]) -> None:
    """Each under the model that declares the field, once; fields without one are none."""
    described = {name: one.text for name, one in by_id.items() if name.startswith("models:")}
    assert described == {
        "models:Inner.name": "A short name.",
        "models:Inner.noted": "A note in an annotation.",
        "models:Heir.more": "More of it.",
        "models:Outer.inner": "The inner one.",
        "models:Outer.several": "Several inner ones.",
    }
    assert by_id["models:Heir.more"].kind == "description"


def test_other_packages_have_no_surfaces(by_id: dict[str, Surface]) -> None:
    """Only what is under the import roots counts."""
    assert {name.partition(":")[0] for name in by_id} == {"prompts", "user", "models"}


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_row_comes_back_as_it_was(text: str, users: list[str]) -> None:
    """Writing and reading changes nothing, and the digest is that of the text."""
    one = surface("a.b:C", text, assembled_into=tuple(users), heirs=tuple(users))
    assert from_row(one.to_row()) == one
    assert one.to_row()["digest"] == surfaces.digest(text)


def test_candidate_changes_the_text_alone() -> None:
    """A surface that the candidate does not name stays."""
    one = surface("a.b:C", "old")
    assert one.with_text({"a.b:C": "new"}) == surface("a.b:C", "new")
    assert one.with_text({"a.b:D": "new"}) is one


def holds(text: str, message: str) -> bool:
    """Whether a constant with this text stands in a message."""
    return messages_with(surface("a:B", text), [message]) == [message]


@pytest.mark.parametrize(
    ("text", "message", "expected"),
    [
        ("You find levers.\n", "You find levers.", True),
        ("You find levers.\n", "Hello. You find levers. Bye.", True),
        ("You find levers.", "You find the levers.", False),
        ("Plan: {plan}\nFind its levers.", "Plan: a boat\nFind its levers.", True),
        ("Plan: {plan}\nFind its levers.", "Find its levers.\nPlan: a boat", False),
        ("Plan: {plan}\nFind its levers.", "Plan: a boat", False),
        ("Give {count:02d} levers for {plan!r}.", "Give 05 levers for 'x'.", True),
        ("Plan: {0}, levers: {1}, end.", "Plan: a, levers: b, end.", True),
        ('Answer {{"levers": []}} for {plan}', 'Answer {"levers": []} for x', True),
        ("Braces { that are no template", "Braces { that are no template", True),
        ("Braces { that are no template", "Braces that are no template", False),
        ("An {unfinished template", "An {unfinished template, sent", True),
        ("{a} and {b}", "x and y", False),
        ("Plan: %(plan)s, %d levers, 5 %% less", "Plan: a, 3 levers, 5 % less", True),
        ("Plan: $plan, for ${who} and you", "Plan: a, for b and you", True),
        ("Plan: {{ plan.text }} and levers", "Plan: a and levers", True),
        ("Plan: %(plan)s, %d levers", "3 levers, Plan: a", False),
        ("{only}", "anything at all", False),
        ("aa {x} aa {y} bbbbbbbb", "aa bbbbbbbb aa", False),
    ],
)
def test_text_is_recognized_in_a_message(text: str, message: str, *, expected: bool) -> None:
    """Whole, or as a template whose fixed parts stand in order; odd braces are just text."""
    assert holds(text, message) is expected


WORDS = st.text(string.ascii_letters + " .,\n計画", min_size=6, max_size=20)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=5), st.lists(st.text(max_size=20), min_size=4))
def test_filled_template_is_always_recognized(parts: list[str], values: list[str]) -> None:
    """Whatever is filled in, and whatever is written around it."""
    template = "{}".join(parts)
    if sum(len(part.strip()) for part in parts) >= surfaces.SHORTEST:
        message = f"Before. {template.format(*values[: len(parts) - 1])} After."
        assert holds(template, message) or len(values) < len(parts) - 1


def test_only_the_messages_that_hold_it_are_given() -> None:
    """Each message counts for itself."""
    messages = ["You find levers. Now.", "Something else.", "Please: You find levers."]
    assert messages_with(surface("a:B", "You find levers."), messages) == [messages[0], messages[2]]


def test_descriptions_of_a_schema_are_known_by_model_and_field(package: Loaded) -> None:
    """Nested models count as themselves; a model's own docstring has no field."""
    schema = package["models"].Outer.model_json_schema()
    assert descriptions_in(schema) == {
        Description("Outer", "inner", "The inner one."),
        Description("Outer", "several", "Several inner ones."),
        Description("Inner", "name", "A short name."),
        Description("Inner", "noted", "A note in an annotation."),
        Description(None, None, "A docstring of a model."),
        Description("Heir", "name", "A short name."),
        Description("Heir", "noted", "A note in an annotation."),
        Description("Heir", "more", "More of it."),
    }


def test_field_called_description_is_no_description() -> None:
    """A model may have fields called `description`, `properties` and `title`."""
    fields = {
        name: {"type": "string", "description": f"The {name}."}
        for name in ("description", "properties", "title")
    }
    schema = {"title": "Odd", "type": "object", "properties": fields}
    assert descriptions_in(schema) == {Description("Odd", name, f"The {name}.") for name in fields}


@pytest.mark.parametrize("schema", [None, [], "text", {"properties": 3}, {"$defs": []}])
def test_odd_schema_has_no_descriptions(schema: object) -> None:
    """Foreign code may send anything."""
    assert descriptions_in(schema) == set()


@pytest.mark.parametrize("double", [False, True])
def test_schema_in_a_prompt_is_read(package: Loaded, *, double: bool) -> None:
    """Descriptions count as well where the schema was written into the message."""
    schema = package["models"].Inner
    text = str(schema.model_json_schema()).replace("'", '"')
    if double:
        text = text.replace("{", "{{").replace("}", "}}")
    by_id = descriptions_in_text(f"Fill this {{x}} in:\n{text}\nNothing else.")
    assert Description("Inner", "name", "A short name.") in by_id
    assert descriptions_in_text("No schema here: {}") == set()


def test_description_is_recognized_by_model_and_field() -> None:
    """The same text of another field or model is another surface; an untitled model may be it."""
    one = surface("a.b:Found.name", "A short name.")
    same = [
        Description("Found", "name", "A short name."),
        Description(None, "name", "A short name."),
    ]
    other = [
        Description("Other", "name", "A short name."),
        Description("Found", "title", "A short name."),
        Description("Found", "name", "A long name."),
        Description(None, None, "A short name."),
    ]
    assert descriptions_of(one, [*same, *other]) == same


def test_description_of_an_inherited_field_is_recognized(
    package: Loaded, by_id: dict[str, Surface]
) -> None:
    """A model that inherits a field sends the surface of the model that declares it."""
    sent = descriptions_in(package["models"].Heir.model_json_schema())
    for name, field in (("models:Inner.name", "name"), ("models:Inner.noted", "noted")):
        assert [(one.model, one.field) for one in descriptions_of(by_id[name], sent)] == [
            ("Heir", field)
        ]
    assert by_id["models:Inner.name"].heirs == ("Heir",)
    assert by_id["models:Outer.inner"].heirs == ()


def test_module_in_another_encoding_is_read(tmp_path: Path) -> None:
    """Python's own rules for source files hold: a declared encoding, a byte order mark."""
    with loaded(tmp_path, {"plain": 'A = "A text that is long enough."'}) as package:
        (package.folder / "latin.py").write_bytes(
            '# -*- coding: latin-1 -*-\nB = "Entscheidungen für Pläne"\n'.encode("latin-1")
        )
        (package.folder / "marked.py").write_bytes(
            b'\xef\xbb\xbfC = "A text after a byte order mark."\n'
        )
        __import__(f"{package.name}.latin")
        __import__(f"{package.name}.marked")
        texts = {one.text for one in surfaces.find(package.host()).values()}
    assert texts == {
        "A text that is long enough.",
        "Entscheidungen für Pläne",
        "A text after a byte order mark.",
    }
