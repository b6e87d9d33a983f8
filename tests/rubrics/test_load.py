"""Reading rubrics: what is wrong is said at once and in the rubric's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from rubrics import load, schema
from rubrics.errors import RubricError
from rubrics.rubric import MetricUse, Source

GOOD = """\
step: find
version: 1
why: to test with
clean: {artifact: a.json, items: list}
metrics:
  - {metric: quantity, weight: 1, scale: 0.1}
  - {metric: quantity, of: replies, scale: 0.1}
replies: {artifact: raw.json, replies: responses, items: [one, other]}
constraints:
  - text: enough of them
    metric: quantity
    high: 0.2
"""


def written(folder: Path, text: str, name: str = "find") -> Path:
    """Write a rubric."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str, name: str = "find") -> str:
    """Return what is said of a rubric that cannot be used."""
    with pytest.raises(RubricError) as caught:
        load.load(written(folder, text, name))
    return str(caught.value)


def test_a_rubric_is_found_by_its_step(tmp_path: Path) -> None:
    """A step without one has none, and what is not a YAML file is none."""
    written(tmp_path, GOOD)
    (tmp_path / "other.txt").write_text("")
    assert load.names(tmp_path) == ["find"]
    of_step = load.find("find", tmp_path)
    assert of_step is not None
    assert of_step.metrics[0].id == "quantity"
    assert load.find("other", tmp_path) is None


def test_items_may_stand_in_one_place_or_several(tmp_path: Path) -> None:
    """Both are read as places."""
    of_step = load.load(written(tmp_path, GOOD))
    assert of_step.clean is not None
    assert of_step.replies is not None
    assert (of_step.clean.json_paths, of_step.replies.json_paths) == (("list",), ("one", "other"))
    assert Source(artifact="x").json_paths == ("",)


def test_the_id_of_a_use_tells_metric_fields_and_source() -> None:
    """It is the name of the measure everywhere."""
    one = MetricUse(metric="bleed", of="replies", fields=("a", "b.c[]"), scale=1)
    assert one.id == "bleed:a+b.c[]@replies"


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """Misspelt keys with what is nearest, values out of bounds, and places that are none."""
    text = GOOD.replace("weight: 1", "wieght: 1").replace("version: 1", "version: 0")
    text = text.replace("scale: 0.1}\nreplies", "scale: 0}\nreplies").replace(
        "items: list", "items: a b"
    )
    message = refusal(tmp_path, text)
    assert "metrics.0.wieght: there is no such key. Did you mean weight" in message
    assert "version: Input should be greater than or equal to 1" in message
    assert "metrics.1.scale" in message
    assert "clean.items" in message
    assert "find.yaml" in message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("of: replies, ", "", "metrics: quantity is there 2 times"),
        (
            "replies: {art",
            "gates: {}\n#",
            "metrics.1: quantity@replies is of replies, and no replies",
        ),
        ("metric: quantity\n    high", "metric: quantitty\n    high", "Did you mean quantity"),
        ("    high: 0.2\n", "", "constraints.0: a metric without low or high bounds nothing"),
        ("    metric: quantity\n", "", "constraints.0: bounds without a metric"),
        ("high: 0.2", "high: 0.2\n    low: 0.5", "constraints.0: low is above high"),
        ("version: 1", "version: 1\nversion: 2", "'version' is there twice"),
        (
            "why: to",
            "fitness: {quality: 0, latency: 0, preference: 0}\nwhy: to",
            "all shares are 0",
        ),
    ],
)
def test_a_contradiction_is_reported(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each in its own words, with its place."""
    assert old in GOOD
    assert message in refusal(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    "text", ["[", "a: !!python/object:os.system x", "just text", "", "- 1", "\t"]
)
def test_what_is_no_rubric_is_refused(tmp_path: Path, text: str) -> None:
    """Broken YAML, tags that would run code, and other values."""
    assert "find.yaml" in refusal(tmp_path, text)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(RubricError, match=r"none\.yaml cannot be read"):
        load.load(tmp_path / "none.yaml")


def test_the_published_schema_is_current() -> None:
    """`python -m rubrics.schema` writes it."""
    assert schema.PATH.read_text(encoding="utf-8") == schema.text()
