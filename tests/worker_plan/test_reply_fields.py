"""Reading a reply generously: broken items go, odd spellings of choices stay."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from worker_plan.reply_fields import AnyCase, Capitalized, RunningNumber, Texts, whole_items


class Kind(StrEnum):
    """Choices in lower case."""

    keep = "keep"
    drop = "drop"


class Degree(StrEnum):
    """Choices that begin with a capital."""

    High = "High"
    Low = "Low"


class Item(BaseModel):
    """An item of a list."""

    name: str
    kind: Annotated[Kind, AnyCase] = Kind.keep
    degree: Annotated[Degree, Capitalized] = Degree.Low


class Items(BaseModel):
    """A reply."""

    items: Annotated[list[Item], whole_items(Item)] = Field(min_length=1, description="Items.")


ITEM = st.fixed_dictionaries({"name": st.text()})
ODD = st.one_of(
    st.none(), st.integers(), st.text(), st.lists(ITEM), st.just({}), st.just({"name": 3})
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), ITEM, ODD), min_size=1))
def test_whole_items_stay_in_their_order(items: list[tuple[bool, Any, Any]]) -> None:
    """Whatever stands between them, exactly the whole items are kept."""
    whole = [item["name"] for is_whole, item, _ in items if is_whole]
    mixed = {"items": [item if is_whole else odd for is_whole, item, odd in items]}
    if whole:
        assert [item.name for item in Items.model_validate(mixed).items] == whole
    else:
        with pytest.raises(ValidationError):
            Items.model_validate(mixed)


@pytest.mark.parametrize("value", [None, "text", {"name": "a"}, 3])
def test_what_is_no_list_is_refused(value: Any) -> None:
    """A list is needed; nothing is made up."""
    with pytest.raises(ValidationError):
        Items.model_validate({"items": value})


def test_items_that_are_models_already_stay() -> None:
    """A step may build the reply itself."""
    assert Items(items=[Item(name="a")]).items == [Item(name="a")]


@pytest.mark.parametrize("said", ["keep", "KEEP", " Keep\n", "kEEp"])
def test_lower_case_choice_is_taken_in_any_spelling(said: str) -> None:
    """Case and surrounding space do not matter."""
    assert Item.model_validate({"name": "a", "kind": said}).kind is Kind.keep


@pytest.mark.parametrize("said", ["High", "HIGH", " high\n", "hIGH"])
def test_capitalized_choice_is_taken_in_any_spelling(said: str) -> None:
    """Case and surrounding space do not matter."""
    assert Item.model_validate({"name": "a", "degree": said}).degree is Degree.High


@pytest.mark.parametrize("field", ["kind", "degree"])
@pytest.mark.parametrize("said", ["perhaps", "", 3, None, ["keep"]])
def test_no_choice_is_guessed(field: str, said: Any) -> None:
    """A word that is none of the choices is refused."""
    with pytest.raises(ValidationError):
        Item.model_validate({"name": "a", field: said})


def test_schema_says_what_is_wanted() -> None:
    """The model does not learn of the tolerance: the schema lists the exact choices and items."""
    schema = Items.model_json_schema()
    assert schema["properties"]["items"]["minItems"] == 1
    assert schema["properties"]["items"]["items"] == {"$ref": "#/$defs/Item"}
    assert schema["$defs"]["Kind"]["enum"] == ["keep", "drop"]


class Notes(BaseModel):
    """A reply with texts and a number of its own."""

    texts: Texts = Field(description="Texts.")
    index: RunningNumber = 0


def test_only_texts_stay_in_a_list_of_texts() -> None:
    """What is empty or something else goes, null is none, and one text is still no list."""
    mixed = ["a", "", " \n", None, 3, ["b"], "予算"]
    assert Notes.model_validate({"texts": mixed}).texts == ["a", "予算"]
    assert Notes.model_validate({"texts": None}).texts == []
    with pytest.raises(ValidationError):
        Notes.model_validate({"texts": "a"})


@pytest.mark.parametrize(
    ("items", "index"), [(3, 3), ("4", 4), ("L1", 0), (None, 0), (1.5, 0), ([], 0), ("9" * 9999, 0)]
)
def test_odd_running_number_is_zero(items: Any, index: int) -> None:
    """A number that can be read is kept; nothing that stands there costs the item."""
    assert Notes.model_validate({"texts": [], "index": items}).index == index
