"""Versions of a step's prompts, and where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.scores import Best, Score, Scores
from self_improve.errors import UsageError
from self_improve.rollout.version import Version, baseline_of, best_of, checked_step, read

STEP = "identify_purpose"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a data repo with a baseline and a best candidate."""
    init(tmp_path / "lab")
    layout = Layout(tmp_path / "lab")
    scores = Scores(layout)
    scores.add(
        Score(
            step=STEP, date="2026-03-01", candidate="baseline", baseline_score=0.0,
            candidate_score=0.0, best_score=0.0, delta=None, interval=None, verdict="BASELINE",
            split="train", models=("m",), cost=None, commit="abcdef0", iteration="it-0",
        ),
        {},
    )  # fmt: skip
    scores.set_best(
        Best(
            step=STEP, candidate="c", score=1.0, commit="abcdef1", pull_request="url",
            iteration="it-0", texts={"a:B": "x"}, simulated=True,
        )
    )  # fmt: skip
    return layout


def test_texts_and_commit_make_the_digest() -> None:
    """Where it came from does not matter, and a row gives the same version back."""
    one = Version(texts={"a:B": "x"}, commit="abcdef1", pull_request="url")
    assert one.id == Version(texts={"a:B": "x"}, commit="abcdef1").id == one.digest[:12]
    assert one.id != Version(texts={"a:B": "y"}, commit="abcdef1").id
    assert one.id != Version(texts={"a:B": "x"}, commit="abcdef2").id
    assert Version.from_row(json.loads(json.dumps(one.to_row()))) == one


def test_best_candidate_and_baseline_are_found(layout: Layout) -> None:
    """The best keeps its pull request and that it is simulated; the baseline is the first row's."""
    best = best_of(layout, STEP)
    assert (best.commit, best.pull_request, best.simulated) == ("abcdef1", "url", True)
    assert baseline_of(layout, STEP).commit == "abcdef0"


def test_missing_best_and_baseline_say_what_to_do(layout: Layout) -> None:
    """A step without a YES, or without any row, is named with the option that helps."""
    with pytest.raises(UsageError, match=r"plan_type has no best candidate(.|\n)*--new FILE"):
        best_of(layout, "plan_type")
    with pytest.raises(UsageError, match="--old FILE"):
        baseline_of(layout, "plan_type")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"texts": {"a:B": 1}}',
        '{"commit": "main"}',
        '{"commit": "--x"}',
        "{}",
        '{"a": 1}',
    ],
)
def test_file_that_is_no_version_is_refused(tmp_path: Path, text: str) -> None:
    """The message shows what one looks like, or says what is lacking."""
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a version"):
        read(path)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".", "a\n"])
def test_name_that_would_be_a_path_is_no_step(name: str) -> None:
    """It becomes a directory's name, so only letters, digits and _ will do."""
    with pytest.raises(UsageError, match="is not a step"):
        checked_step(name)
