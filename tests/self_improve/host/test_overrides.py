"""A candidate's texts in the place of the host's: everywhere they are read, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.errors import UsageError
from self_improve.host import overrides, surfaces
from tests.self_improve.hosts import Loaded, loaded

PROMPTS = """
GUIDE = "Write in the language of the plan."
UNRELATED = "Write in the language " + "of the plan."
NUMBER = 3
"""

USER = """
from HOST.prompts import GUIDE
from HOST.prompts import GUIDE as GUIDELINES

SAME_WORDS = "Write in the language of the plan."
TABLE = {"guide": GUIDE, "steps": [GUIDE, "Another."]}


def says(guide=GUIDE, *, again=GUIDE):
    return guide, again


class Prompter:
    guide = GUIDE

    @staticmethod
    def says(guide=GUIDE):
        return guide
"""

MODELS = '''
from typing import Annotated, Literal, Optional, Union
from pydantic import BaseModel, Field, RootModel


class Leaf(BaseModel):
    name: str = Field(description="OLD name.")
    size: int = Field(default=1, description="A size.", ge=1, le=9)


class Heir(Leaf):
    more: str = Field(description="OLD name.")


class GrandHeir(Heir):
    pass


class Redeclared(Leaf):
    name: str = Field(description="A name of its own.")


class Direct(BaseModel):
    leaf: Leaf = Field(description="A leaf.")


class InList(BaseModel):
    leaves: Annotated[list[Leaf], Field(min_length=1)] = Field(description="Leaves.")


class Perhaps(BaseModel):
    leaf: Leaf | None = None
    other: Optional[Leaf] = Field(default=None, description="Another.")


class InDict(BaseModel):
    leaves: dict[str, list[Leaf]] = Field(description="Leaves by name.")


class OneOf(BaseModel):
    leaf: Union[int, Direct, Leaf]


class Deep(BaseModel):
    lists: InList
    dicts: tuple[InDict, ...] = ()


class Root(RootModel[list[Leaf]]):
    pass


class HoldsHeir(BaseModel):
    heirs: list[GrandHeir]


class Tree(BaseModel):
    """Holds itself."""

    leaf: Leaf
    children: list["Tree"] = []


class Unrelated(BaseModel):
    name: str = Field(description="OLD name.")


class Alone(BaseModel):
    unrelated: Unrelated
'''

HOLDERS = (
    "Leaf", "Heir", "GrandHeir", "Direct", "InList", "Perhaps", "InDict", "OneOf", "Deep", "Root",
    "HoldsHeir", "Tree",
)  # fmt: skip
STRANGERS = ("Redeclared", "Unrelated", "Alone")


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Loaded]:
    """Return a host with constants and their copies."""
    with loaded(tmp_path, {"prompts": PROMPTS, "user": USER, "models": MODELS}) as package:
        yield package


def schema(model: Any) -> Any:
    """Return a model's schema as it is sent."""
    return model.model_json_schema()


def test_constant_is_set_wherever_it_is_held(package: Loaded) -> None:
    """Imported copies, under other names too, in containers, classes and defaults."""
    overrides.apply({package.id("prompts:GUIDE"): "Write in rhyme."}, package.host())
    user: Any = package["user"]
    assert package["prompts"].GUIDE == "Write in rhyme."
    assert (user.GUIDE, user.GUIDELINES) == ("Write in rhyme.", "Write in rhyme.")
    assert user.TABLE == {"guide": "Write in rhyme.", "steps": ["Write in rhyme.", "Another."]}
    assert user.says() == ("Write in rhyme.", "Write in rhyme.")
    assert (user.Prompter.guide, user.Prompter.says()) == ("Write in rhyme.", "Write in rhyme.")


def test_other_string_with_the_same_words_stays(package: Loaded) -> None:
    """What is equal by chance is another surface."""
    old = package["prompts"].GUIDE
    overrides.apply({package.id("prompts:GUIDE"): "Write in rhyme."}, package.host())
    assert old == package["user"].SAME_WORDS


def test_copy_can_be_found_again(package: Loaded) -> None:
    """The surface is found with its new text, under its old id."""
    surface_id = package.id("prompts:GUIDE")
    overrides.apply({surface_id: "Write in rhyme, all of it."}, package.host())
    assert surfaces.find(package.host())[surface_id].text == "Write in rhyme, all of it."


def test_modules_outside_the_host_stay(package: Loaded, tmp_path: Path) -> None:
    """A module that holds the same object but is not the host's keeps it."""
    with loaded(tmp_path, {"copy": "GUIDE = None"}) as other:
        old = other["copy"].GUIDE = package["prompts"].GUIDE
        overrides.apply({package.id("prompts:GUIDE"): "Write in rhyme."}, package.host())
        assert old == other["copy"].GUIDE


def test_several_texts_are_set_at_once(package: Loaded) -> None:
    """Constants and descriptions together."""
    texts = {
        package.id("prompts:GUIDE"): "Write in rhyme.",
        package.id("models:Leaf.name"): "NEW name.",
        package.id("models:Leaf.size"): "NEW size.",
    }
    overrides.apply(texts, package.host())
    sent = json.dumps(schema(package["models"].Deep))
    assert package["prompts"].GUIDE == "Write in rhyme."
    assert "NEW name." in sent
    assert "NEW size." in sent


@pytest.mark.parametrize(
    ("surface", "said"),
    [
        ("nowhere:X", "There is no module"),
        ("prompts:NOTHING", "is not a string"),
        ("prompts:NUMBER", "is not a string"),
        ("models:Nothing.name", "names no model"),
        ("prompts:GUIDE.name", "names no model"),
        ("models:Leaf.nothing", "names no field of Leaf"),
    ],
)
def test_id_that_names_nothing_is_reported(package: Loaded, surface: str, said: str) -> None:
    """The message names the surface."""
    with pytest.raises(UsageError, match=said) as caught:
        overrides.apply({package.id(surface): "Text."}, package.host())
    assert surface.partition(":")[2].partition(".")[0] in str(caught.value)


def test_module_of_somebody_else_is_refused(package: Loaded) -> None:
    """Only the host's own texts are ever set."""
    with pytest.raises(UsageError, match="There is no module json"):
        overrides.apply({"json:__doc__": "Text."}, package.host())


def changed(value: Any, old: str, new: str) -> Any:
    """Return a schema with every description `old` put in the place of `new`."""
    if isinstance(value, dict):
        return {
            key: new if key == "description" and inner == old else changed(inner, old, new)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [changed(inner, old, new) for inner in value]
    return value


@pytest.mark.parametrize("name", HOLDERS)
def test_description_is_set_in_every_model_that_embeds_it(package: Loaded, name: str) -> None:
    """Nested, in lists, options, unions, dicts, by inheritance: the new text and not the old."""
    model = vars(package["models"])[name]
    before = schema(model)
    overrides.apply({package.id("models:Leaf.name"): "NEW name."}, package.host())
    sent = json.dumps(schema(model))
    assert "NEW name." in sent
    keeps_own = "Heir" in name  # Its own field `more` has the same words.
    assert ("OLD name." in sent) is keeps_own
    if not keeps_own:
        assert schema(model) == changed(before, "OLD name.", "NEW name.")


@pytest.mark.parametrize("name", STRANGERS)
def test_description_of_another_field_stays(package: Loaded, name: str) -> None:
    """The same words elsewhere, and a field that an heir declares again, are other surfaces."""
    model = vars(package["models"])[name]
    before = schema(model)
    overrides.apply({package.id("models:Leaf.name"): "NEW name."}, package.host())
    assert schema(model) == before


def test_heirs_field_can_be_set_alone(package: Loaded) -> None:
    """What an heir added is changed in the heir and in what embeds it, not in its base."""
    overrides.apply({package.id("models:Heir.more"): "NEW more."}, package.host())
    models: Any = package["models"]
    assert schema(models.HoldsHeir)["$defs"]["GrandHeir"]["properties"]["more"]["description"] == (
        "NEW more."
    )
    assert "NEW more." not in json.dumps(schema(models.Leaf))


def test_rules_of_the_models_stay(package: Loaded) -> None:
    """After a change the same replies are taken and refused."""
    overrides.apply({package.id("models:Leaf.name"): "NEW name."}, package.host())
    models: Any = package["models"]
    tree = {"leaf": {"name": "a"}, "children": [{"leaf": {"name": "b", "size": 9}}]}
    assert models.Tree.model_validate(tree).children[0].leaf.size == 9
    for wrong in ({"leaf": {"name": "a", "size": 10}}, {"leaf": {}}):
        with pytest.raises(ValueError, match="validation error"):
            models.Tree.model_validate(wrong)
    with pytest.raises(ValueError, match="at least 1 item"):
        models.InList.model_validate({"leaves": []})


MUTUAL = """
from pydantic import BaseModel, Field


class Question(BaseModel):
    text: str = Field(description="OLD text.")
    answers: list["Answer"] = []


class Answer(BaseModel):
    text: str = Field(description="An answer.")
    questions: list[Question] = []


class Talk(BaseModel):
    answers: list[Answer]


Question.model_rebuild()
"""


@pytest.mark.parametrize("name", ["Question", "Answer", "Talk"])
def test_models_that_hold_each_other_are_all_changed(tmp_path: Path, name: str) -> None:
    """A circle has no innermost model, and the new text reaches all of it."""
    with loaded(tmp_path, {"models": MUTUAL}) as package:
        model = vars(package["models"])[name]
        before = schema(model)
        overrides.apply({package.id("models:Question.text"): "NEW text."}, package.host())
        assert schema(model) == changed(before, "OLD text.", "NEW text.")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
LEAVES = ("Leaf.name", "Leaf.size", "Heir.more", "Direct.leaf", "InList.leaves", "InDict.leaves")


@settings(deadline=None, max_examples=40)
@given(texts=st.dictionaries(st.sampled_from(LEAVES), TEXT, min_size=1))
def test_schemas_change_in_their_descriptions_alone(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]
) -> None:
    """Any texts for any fields: the schema has the new one there, and all else is equal."""
    with loaded(tmp_path_factory.mktemp("overrides"), {"models": MODELS}) as package:
        models = vars(package["models"])
        before = {name: schema(models[name]) for name in (*HOLDERS, *STRANGERS)}
        overrides.apply({package.id(f"models:{k}"): v for k, v in texts.items()}, package.host())
        for name, old in before.items():
            assert schema(models[name]) == with_texts(old, texts)


def with_texts(old: Any, texts: dict[str, str]) -> Any:
    """Return a schema with these descriptions, where `Leaf`'s fields are also its heirs'."""
    declared_by = {
        ("Heir", "name"): "Leaf", ("Heir", "size"): "Leaf", ("GrandHeir", "name"): "Leaf",
        ("GrandHeir", "size"): "Leaf", ("GrandHeir", "more"): "Heir",
        ("Redeclared", "size"): "Leaf",
    }  # fmt: skip
    if isinstance(old, list):
        return [with_texts(one, texts) for one in old]
    if not isinstance(old, dict):
        return old
    replaced_source = {key: with_texts(value, texts) for key, value in old.items()}
    for field, info in replaced_source.get("properties", {}).items():
        owner = declared_by.get((old["title"], field), old["title"])
        if f"{owner}.{field}" in texts:
            info["description"] = texts[f"{owner}.{field}"]
    return replaced_source
