"""Candidates as data: which surface is meant, and what its new text is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.errors import UsageError
from self_improve.host.candidate import Candidate, from_files, surface_named
from self_improve.host.pipeline import Pipeline
from tests.self_improve import hosts
from tests.self_improve.hosts import FIELD, FOLLOW_UP, OTHER, SYSTEM, TEXTS, surface

TWINS = ("steps.a:SHARED_PROMPT", "steps.b:SHARED_PROMPT")


@pytest.fixture
def pipeline() -> Pipeline:
    """Return a pipeline with two constants of one name, and one that goes into another."""
    return hosts.pipeline(
        *(surface(one, f"Text of {one}.") for one in TWINS),
        surface("steps.find:GUIDE", "Write plainly.", assembled_into=("FIND_SYSTEM_PROMPT",)),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a new text."""
    path = tmp_path / "new.txt"
    path.write_text("You find other levers.\n")
    return path


def named(name: str, pipeline: Pipeline) -> str:
    """Return the id of the surface that a name means for the step `find`."""
    return surface_named(name, hosts.step(), pipeline)


def test_surface_may_be_named_by_its_id(pipeline: Pipeline) -> None:
    """Any surface of the pipeline, whether the step reaches it or not."""
    assert named(SYSTEM, pipeline) == SYSTEM
    assert named(OTHER, pipeline) == OTHER
    assert named(TWINS[1], pipeline) == TWINS[1]


def test_surface_may_be_named_by_what_follows_the_colon(pipeline: Pipeline) -> None:
    """If only one is called so: a constant, a field, or a constant of another step."""
    assert named("FIND_SYSTEM_PROMPT", pipeline) == SYSTEM
    assert named("Found.name", pipeline) == FIELD
    assert named("OTHER_SYSTEM_PROMPT", pipeline) == OTHER


def test_steps_own_surface_goes_before_anothers(pipeline: Pipeline) -> None:
    """Of two that are called alike, the one that the step reaches is meant."""
    step = hosts.step(surfaces=(SYSTEM, TWINS[0]))
    assert surface_named("SHARED_PROMPT", step, pipeline) == TWINS[0]


def test_ambiguous_name_is_refused(pipeline: Pipeline) -> None:
    """All that could be meant are listed."""
    with pytest.raises(UsageError, match=f"any of {TWINS[0]}, {TWINS[1]}; give the whole id"):
        named("SHARED_PROMPT", pipeline)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("FIND_SYSTEM_PROMT", "Did you mean FIND_SYSTEM_PROMPT"),
        ("Found.nmae", "Did you mean Found.name"),
        ("zzz", "It has FIND_SYSTEM_PROMPT"),
    ],
)
def test_near_misses_are_suggested(pipeline: Pipeline, name: str, near: str) -> None:
    """The nearest of the step's surfaces, or some of them if none is near."""
    with pytest.raises(UsageError) as caught:
        named(name, pipeline)
    assert str(caught.value).startswith(f"find has no prompt surface {name}. {near}")


def test_files_become_texts(pipeline: Pipeline, file: Path, tmp_path: Path) -> None:
    """By surface id; ends of lines are those of code, whatever the machine that wrote the file."""
    other = tmp_path / "a=b.txt"
    other.write_bytes(b"Gib andere als {found}.\r\nBitte.\r\n")
    words = [f"FIND_SYSTEM_PROMPT={file}", f"{FOLLOW_UP}={other}"]
    candidate = from_files(words, hosts.step(), pipeline)
    assert candidate.texts == {
        SYSTEM: "You find other levers.",
        FOLLOW_UP: "Gib andere als {found}.\nBitte.",
    }
    assert not candidate.is_baseline


def test_byte_order_mark_is_no_part_of_a_prompt(pipeline: Pipeline, tmp_path: Path) -> None:
    """What an editor put in front of the text is not sent to a model."""
    (tmp_path / "new.txt").write_bytes(b"\xef\xbb\xbfYou find other levers.")
    candidate = from_files([f"{SYSTEM}={tmp_path / 'new.txt'}"], hosts.step(), pipeline)
    assert candidate.texts[SYSTEM] == "You find other levers."


def test_no_files_are_the_baseline(pipeline: Pipeline) -> None:
    """A command without `--prompt` changes nothing."""
    assert from_files([], hosts.step(), pipeline).is_baseline


@pytest.mark.parametrize(
    ("old", "written", "meant"),
    [
        ("Old.", "New.", "New."),
        ("Old.", "New.\n", "New."),
        ("Old.", "New.\n\n", "New.\n"),
        ("Old.\n", "New.", "New."),
        ("Old.\n", "New.\n", "New.\n"),
    ],
)
def test_line_end_of_an_editor_is_no_part_of_a_line(
    tmp_path: Path, old: str, written: str, meant: str
) -> None:
    """A text without a last line end in the code gets none; otherwise the file's is kept."""
    (tmp_path / "new.txt").write_text(written)
    pipeline = hosts.pipeline(surface("steps.find:LINE", old))
    candidate = from_files([f"LINE={tmp_path / 'new.txt'}"], hosts.step(), pipeline)
    assert candidate.texts["steps.find:LINE"] == meant


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_text_of_now_is_no_candidate(pipeline: Pipeline, tmp_path: Path, ending: str) -> None:
    """A file with the text that the code has, whatever ends its last line, is the baseline."""
    (tmp_path / "same.txt").write_bytes((TEXTS[FIELD] + ending).encode())
    with pytest.raises(UsageError, match=f"This candidate is the baseline: {FIELD}"):
        from_files([f"{FIELD}={tmp_path / 'same.txt'}"], hosts.step(), pipeline)


def test_one_changed_text_is_enough(pipeline: Pipeline, file: Path, tmp_path: Path) -> None:
    """Beside it, others may stay as they are."""
    (tmp_path / "same.txt").write_text(TEXTS[FIELD])
    words = [f"{FIELD}={tmp_path / 'same.txt'}", f"{SYSTEM}={file}"]
    assert set(from_files(words, hosts.step(), pipeline).texts) == {FIELD, SYSTEM}


def test_bytes_that_are_no_text_are_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    """NUL is valid UTF-8, but no server should get it, and no source file can hold it."""
    (tmp_path / "nul.txt").write_bytes(b"Find\x00 it")
    with pytest.raises(UsageError, match=r"nul\.txt: the file holds a NUL character"):
        from_files([f"{FIELD}={tmp_path / 'nul.txt'}"], hosts.step(), pipeline)


def test_all_problems_are_reported_at_once(pipeline: Pipeline, file: Path, tmp_path: Path) -> None:
    """Every argument that is wrong, and why."""
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes(b"Caf\xe9")
    text = [
        "FIND_SYSTEM_PROMPT",
        f"NOTHING={file}",
        f"{SYSTEM}={file}",
        f"FIND_SYSTEM_PROMPT={file}",
        f"{FOLLOW_UP}={tmp_path / 'gone.txt'}",
        f"{FOLLOW_UP}={tmp_path / 'latin.txt'}",
        f"{FIELD}={tmp_path / 'empty.txt'}",
        f"steps.find:GUIDE={file}",
        f"{OTHER}={tmp_path}",
    ]
    with pytest.raises(UsageError) as caught:
        from_files(text, hosts.step(), pipeline)
    lines = str(caught.value).splitlines()
    expected = [
        "--prompt FIND_SYSTEM_PROMPT: say SURFACE=FILE",
        "find has no prompt surface NOTHING.",
        f"{SYSTEM} is named twice",
        "gone.txt",
        "latin.txt: the file cannot be read",
        "empty.txt: the file is empty",
        "give the candidate as code with --code DIR",
        f"--prompt {OTHER}={tmp_path}: the file cannot be read",
    ]
    assert len(lines) == len(expected)
    for line, words in zip(lines, expected, strict=True):
        assert words in line


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text(st.characters())), st.text(), st.text(min_size=1))
def test_digest_tells_candidates_apart(texts: dict[str, str], key: str, more: str) -> None:
    """It does not depend on the order, and changes with any text or place."""
    one = Candidate(texts=texts)
    reverse = Candidate(texts=dict(reversed(texts.items())))
    assert one.digest == reverse.digest
    changed = Candidate(texts={**texts, key: texts.get(key, "") + more})
    assert changed.digest != one.digest
    assert Candidate().is_baseline
