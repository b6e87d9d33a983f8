"""Rubrics derived from a schema and from an example."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from rubrics.default import derive
from rubrics.errors import RubricError
from rubrics.rubric import Rubric
from self_improve.measures.catalogue import check

LONG = "Wer zuerst einen Liegeplatz mietet, legt die Miete für alle anderen am Kanal fest."


class Grade(BaseModel):
    """A part of a reply."""

    text: str
    level: int


class Finding(BaseModel):
    """An item of a reply."""

    titel: str
    begruendung: str | None
    wege: list[str]
    note: Grade


class Reply(BaseModel):
    """A reply with a list of items."""

    einleitung: str
    funde: list[Finding]


ITEMS = [
    {
        "id": f"{n}" * 36,
        "art": "klein",
        "titel": f"Platz {n}",
        "begruendung": LONG + str(n),
        "wege": [LONG, LONG],
    }
    for n in range(4)
]
RAW = {"antworten": [{"einleitung": LONG, "funde": ITEMS}], "metadata": {}, "system_prompt": LONG}


def uses(rubric: Rubric) -> dict[str, tuple[str, ...]]:
    """Return the fields of each metric."""
    return {use.metric: use.fields for use in rubric.metrics}


def test_a_schema_tells_where_items_and_texts_are() -> None:
    """The list with most texts; references, optional and nested fields are followed."""
    of_step = derive("find", schema=Reply.model_json_schema())
    assert of_step.replies is not None
    assert of_step.replies.items == "funde"
    assert of_step.clean is None
    assert uses(of_step)["empty_fields"] == ("titel", "begruendung", "wege", "note.text")
    assert uses(of_step)["leaked_labels"] == ("wege",)
    check(of_step)


def test_an_example_tells_names_classes_and_prose() -> None:
    """By length and by how often values come again; the words of the keys are never looked at."""
    of_step = derive("find", artifacts={"1-raw.json": RAW, "2-clean.json": ITEMS})
    assert of_step.clean is not None
    assert of_step.replies is not None
    assert (of_step.clean.artifact, of_step.clean.json_paths) == ("2-clean.json", ("",))
    assert of_step.replies.model_dump() == {
        "artifact": "1-raw.json", "replies": "antworten", "items": "funde", "lines": False,
    }  # fmt: skip
    assert of_step.name_field == "titel"
    fields = uses(of_step)
    assert fields["near_duplicates"] == ("begruendung", "wege")
    assert fields["class_entropy"] == ("id",) or fields["class_entropy"] == ("art",)
    assert "id" not in fields["placeholders"]
    check(of_step)


def test_one_object_is_one_item() -> None:
    """Then nothing is compared between items."""
    of_step = derive("find", artifacts={"a.json": {"grund": LONG, "ja": True, "metadata": {}}})
    assert "near_duplicates" not in uses(of_step)
    assert uses(of_step)["truncation"] == ("grund",)
    check(of_step)


def test_prose_is_measured_as_one_text() -> None:
    """A step may write Markdown only."""
    of_step = derive("find", artifacts={"a.md": "# Title"})
    assert of_step.clean is not None
    assert of_step.clean.artifact == "a.md"
    assert uses(of_step)["placeholders"] == ()
    check(of_step)


@pytest.mark.parametrize("artifacts", [{}, {"a.json": {}}, {"a.json": [1, 2]}, {"a.md": " "}])
def test_without_any_text_no_rubric_can_be_derived(artifacts: dict[str, Any]) -> None:
    """The step is named, and what to write."""
    with pytest.raises(RubricError, match=r"rubrics/find\.yaml"):
        derive("find", artifacts=artifacts)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.just(LONG),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "$ref", "anyOf", "a b", "x", "", "metadata", "enum"]
            ),
            inner | st.sampled_from(["object", "array", "string", "#/properties", "#/x"]),
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(deadline=None)
@given(JSON, JSON, JSON)
def test_any_json_gives_a_rubric_or_a_reason(one: Any, other: Any, schema: Any) -> None:
    """A derived rubric can always be used."""
    try:
        of_step = derive(
            "find",
            schema=schema if isinstance(schema, dict) else None,
            artifacts={"a.json": one, "b.json": other},
        )
    except RubricError:
        return
    check(of_step)
