"""What was rejected before counts only against what it was measured against."""

from __future__ import annotations

from pathlib import Path

from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.scores import Scores
from self_improve.iteration import rejected


def test_rejection_counts_on_its_own_base_only(tmp_path: Path) -> None:
    """Old rows, which name no base, count for every base."""
    init(tmp_path / "lab")
    layout = Layout(tmp_path / "lab")
    scores = Scores(layout)
    first, second = rejected.base_of({"m:A": "one"}), rejected.base_of({"m:A": "two"})
    scores.add_failed("0_s/a", {"step": "s", "texts": {"m:A": "x"}, "base_texts": first})
    scores.add_failed("1_s/b", {"step": "s", "texts": {"m:A": "old"}})
    scores.add_failed("2_s/c", {"step": "s", "texts": {}, "base_texts": first})
    assert set(rejected.texts(layout, "s", first).values()) == {"0_s/a", "1_s/b"}
    assert set(rejected.texts(layout, "s", second).values()) == {"1_s/b"}
    assert rejected.key({"m:A": "x"}) in rejected.texts(layout, "s", first)
