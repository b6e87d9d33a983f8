"""The folders of comparisons."""

from __future__ import annotations

from pathlib import Path

from model_gateway.ledger import Spend
from prompt_lab.layout import Layout
from self_improve.full_plan.folder import RESULT, ComparisonFolder


def test_the_same_identity_is_resumed_and_another_gets_a_new_folder(tmp_path: Path) -> None:
    """The names of one day are numbered; nothing is ever overwritten."""
    layout, obtain = Layout(tmp_path), ComparisonFolder.resume_or_begin
    one = obtain(layout, {"model": "a"}, new=False)
    assert obtain(layout, {"model": "a"}, new=True) == one
    other = obtain(layout, {"model": "b"}, new=False)
    assert other.id == f"{one.id}-2"
    (one.path / RESULT).write_text("{}")
    assert obtain(layout, {"model": "a"}, new=False) == one
    again = obtain(layout, {"model": "a"}, new=True)
    assert again.id == f"{one.id}-3"
    assert obtain(layout, {"model": "a"}, new=False) == again


def test_what_pings_cost_counts_in_later_sessions(tmp_path: Path) -> None:
    """Else a command that is repeated often enough would exceed its cap."""
    folder = ComparisonFolder.resume_or_begin(Layout(tmp_path), {}, new=False)
    assert folder.spent() == Spend()
    for _ in range(2):
        folder.pings.begin().log({"reserved": {"model": "haiku"}, "tokens": 9, "dollars": 0.5})
    assert folder.spent() == Spend(calls=2, tokens=18, dollars=1.0)
