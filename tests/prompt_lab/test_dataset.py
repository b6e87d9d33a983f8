"""dataset.json: what may stand in it, what is refused, and how it is written."""

from __future__ import annotations

import json

import pytest

from prompt_lab import dataset
from prompt_lab.dataset import Dataset, Plan
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout


def test_plans_may_be_listed_by_bare_name(lab: Layout) -> None:
    """A list written by hand is read, and rewritten with its keys, strange ones too."""
    lab.dataset.write_text(
        json.dumps(
            {
                "splits": {"train": ["silo", {"name": "farm", "why": "new"}], "verify": []},
                "licence": "MIT",
            }
        )
    )
    read = dataset.load(lab).with_plan("train", Plan(name="silo", sha256="0" * 64, files=3))
    dataset.save(lab, read)
    assert json.loads(lab.dataset.read_text()) == {
        "schema_version": 1,
        "source": None,
        "source_has_splits": False,
        "splits": {
            "train": [
                {"name": "silo", "sha256": "0" * 64, "files": 3},
                {"name": "farm", "why": "new"},
            ],
            "verify": [],
        },
        "licence": "MIT",
    }


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "EOF"),
        (b'{"splits": {"tr', "EOF"),
        (b'{"source": "\xe9"}', "invalid unicode"),
        (b"[]", "object"),
        (b'{"schema_version": 2}', "schema_version"),
        (b'{"splits": {"training": []}}', "no split 'training'"),
        (b'{"splits": {"train": ["a"], "verify": ["A"]}}', "train/a and verify/A"),
        (b'{"splits": {"train": ["../x"]}}', "'../x' cannot be the name"),
        (b'{"splits": {"train": [{"name": "a", "sha256": "zz"}]}}', "sha256"),
        (b'{"source": "https://me:secret@example.org/"}', "would be committed"),
        (b'{"source": "https://[broken/"}', "Invalid IPv6"),
    ],
)
def test_unusable_file_is_refused(lab: Layout, content: bytes, cause: str) -> None:
    """The message names the file, every problem and a way out, and gives no secret away."""
    lab.dataset.write_bytes(content)
    with pytest.raises(LabError) as caught:
        dataset.load(lab)
    assert str(lab.dataset) in str(caught.value)
    assert cause in str(caught.value)
    assert "checkout dataset.json" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_all_problems_are_reported_at_once(lab: Layout) -> None:
    """One message is enough to mend the file."""
    lab.dataset.write_text('{"source": 3, "splits": {"train": ["-x", {"files": 0}]}}')
    with pytest.raises(LabError) as caught:
        dataset.load(lab)
    for cause in ("source", "'-x' cannot", "train.1.name", "train.1.files"):
        assert cause in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", ".hidden", "-x", "_x", "a b", "a/b", "a\n", "é", "a.zip", "a.ZIP", "a" * 201]
)
def test_bad_name_of_a_plan(name: str) -> None:
    """It has a reason that holds the name."""
    assert repr(name) in (dataset.name_problem(name) or "")


@pytest.mark.parametrize("name", ["20250321_silo", "a", "A.b-c_d", "9"])
def test_good_name_of_a_plan(name: str) -> None:
    """It has none."""
    assert dataset.name_problem(name) is None


def test_failed_write_leaves_the_file_as_it_was(lab: Layout) -> None:
    """A write that cannot be finished changes nothing and leaves nothing."""
    before = lab.dataset.read_bytes()
    (lab.root / ".dataset.json.part").mkdir()
    with pytest.raises(OSError, match="part"):
        dataset.save(lab, Dataset(source="zips"))
    assert lab.dataset.read_bytes() == before
