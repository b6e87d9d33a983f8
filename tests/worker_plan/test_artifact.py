"""Artifacts: typed reading, whole writing, and what is said when one cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.worker_plan.conftest import names_in
from worker_plan.artifact import Artifact, Input, data, text
from worker_plan.errors import ArtifactError
from worker_plan.step import Step


class Bread(BaseModel):
    """A shape."""

    name: str
    grams: int = 500


class Bake(Step):
    """The step that writes the artifacts of these tests."""

    note = text("001-1-note.txt")
    bread = data("002-10-bread.json", Bread)
    breads = data("002-11-breads.json", list[Bread])
    loose = data("002-12-loose.json", dict[str, Any])


class Sell(Step):
    """A step that reads them."""

    bread = Bake.bread.input


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def message(artifact: Artifact[Any], run_dir: Path) -> str:
    """Return what is said when `artifact` cannot be loaded."""
    with pytest.raises(ArtifactError) as caught:
        artifact.load(run_dir)
    return str(caught.value)


def test_typed_value_is_saved_and_loaded(tmp_path: Path) -> None:
    """What was saved as a model comes back as that model."""
    Bake.bread.save(tmp_path, Bread(name="Möhre", grams=750))
    assert Bake.bread.load(tmp_path) == Bread(name="Möhre", grams=750)
    assert "Möhre" in (tmp_path / "002-10-bread.json").read_text(encoding="utf-8")


def test_list_of_models_is_typed(tmp_path: Path) -> None:
    """Each item of a list is read as its model."""
    Bake.breads.save(tmp_path, [Bread(name="a"), Bread(name="b")])
    assert [bread.name for bread in Bake.breads.load(tmp_path)] == ["a", "b"]


def test_artifact_remembers_its_owner() -> None:
    """The class that declares an artifact writes it; who reads it sees the same artifact."""
    assert Bake.note.owner is Bake
    assert isinstance(Sell.bread, Input)
    assert Sell.bread.artifact is Bake.bread


def test_reading_the_attribute_reads_the_file(tmp_path: Path) -> None:
    """An input on a task is the value in that task's plan, read again each time."""
    Bake.bread.save(tmp_path, Bread(name="rye"))
    task = Sell(run_dir=str(tmp_path))
    assert task.bread == Bread(name="rye")
    Bake.bread.save(tmp_path, Bread(name="oat"))
    assert task.bread == Bread(name="oat")


def test_missing_artifact_names_itself_and_its_writer(tmp_path: Path) -> None:
    """The message names the file, the place and the step that writes it."""
    error = message(Bake.bread, tmp_path)
    assert "002-10-bread.json" in error
    assert str(tmp_path) in error
    assert "Bake" in error


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b'{"name": "rye", "gra', "JSON"),
        (b"", "JSON"),
        (b"[]", "object"),
        (b'{"grams": "much"}', "name: Field required; grams: "),
        (b'{"name": "\xff"}', "utf-8"),
        (b'{"name": "\\ud800"}', "hex escape"),
        (b"[" * 100_000, "JSON"),
    ],
    ids=["torn", "empty", "other shape", "wrong fields", "not UTF-8", "half a character", "deep"],
)
def test_unusable_artifact_says_what_is_wrong(tmp_path: Path, content: bytes, cause: str) -> None:
    """The message names the file, the cause, and the step that writes it."""
    (tmp_path / "002-10-bread.json").write_bytes(content)
    error = message(Bake.bread, tmp_path)
    assert "002-10-bread.json" in error
    assert cause.lower() in error.lower()
    assert "Bake" in error


def test_message_does_not_repeat_the_content(tmp_path: Path) -> None:
    """However many items are wrong, a few are reported, and none of the file's own text."""
    (tmp_path / "002-11-breads.json").write_text(json.dumps([{"grams": "secret"}] * 9))
    error = message(Bake.breads, tmp_path)
    assert "and 15 more" in error
    assert "secret" not in error
    assert len(error) < 400 + len(str(tmp_path))


def test_directory_in_place_of_a_file_is_reported(tmp_path: Path) -> None:
    """What cannot be read at all is an error of the artifact, too."""
    (tmp_path / "001-1-note.txt").mkdir()
    assert "001-1-note.txt" in message(Bake.note, tmp_path)


def test_mark_of_utf8_is_passed_over(tmp_path: Path) -> None:
    """A file that an editor began with a byte order mark reads like any other."""
    (tmp_path / "001-1-note.txt").write_bytes(b"\xef\xbb\xbfHello")
    (tmp_path / "002-10-bread.json").write_bytes(b'\xef\xbb\xbf{"name": "rye"}')
    assert Bake.note.load(tmp_path) == "Hello"
    assert Bake.bread.load(tmp_path).name == "rye"


@pytest.mark.parametrize(
    ("artifact", "value"),
    [
        (Bake.note, "half \ud800 of it"),
        (Bake.bread, Bread.model_construct(name="half \ud800 of it", grams=1)),
        (Bake.loose, {"deep": ["half \ud800 of it"], "half \udfff": 1}),
    ],
    ids=["text", "model", "loose"],
)
def test_half_characters_are_replaced(tmp_path: Path, artifact: Artifact[Any], value: Any) -> None:
    """A lone surrogate, which a model may write and no file can hold, becomes a question mark."""
    artifact.save(tmp_path, value)
    assert "half ?" in str(artifact.load(tmp_path))


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_as_it_was(value: str) -> None:
    """Dumping and loading changes no character, line ends included."""
    assert Bake.note._load(Bake.note._dump(value)) == value


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON))
def test_json_comes_back_as_it_was(value: dict[str, Any]) -> None:
    """Any JSON values survive a round trip."""
    assert Bake.loose._load(Bake.loose._dump(value)) == value


def test_saving_replaces_in_one_go(tmp_path: Path) -> None:
    """Who reads while another saves sees the old value or the new one, and no other file."""
    Bake.note.save(tmp_path, "old")
    with (tmp_path / "001-1-note.txt").open() as reader:
        Bake.note.save(tmp_path, "new")
        assert reader.read() == "old"
    assert (tmp_path / "001-1-note.txt").read_text() == "new"
    assert names_in(tmp_path) == ["001-1-note.txt"]


def test_value_that_cannot_be_dumped_changes_nothing(tmp_path: Path) -> None:
    """The old file stays, and nothing else is left."""
    Bake.loose.save(tmp_path, {"a": 1})
    with pytest.raises(ValueError, match="serialize"):
        Bake.loose.save(tmp_path, {"a": object()})
    assert Bake.loose.load(tmp_path) == {"a": 1}
    assert names_in(tmp_path) == ["002-12-loose.json"]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """Where the file cannot be put in its place, its beginnings are removed."""
    (tmp_path / "001-1-note.txt").mkdir()
    with pytest.raises(OSError, match="001-1-note"):
        Bake.note.save(tmp_path, "x")
    assert names_in(tmp_path) == ["001-1-note.txt"]


def test_saving_where_there_is_no_directory_is_an_error(tmp_path: Path) -> None:
    """A step never makes the plan's directory."""
    with pytest.raises(OSError, match="nowhere"):
        Bake.note.save(tmp_path / "nowhere", "x")
