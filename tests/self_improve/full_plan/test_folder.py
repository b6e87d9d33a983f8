"""Where comparisons lie."""

from __future__ import annotations

from pathlib import Path

from model_gateway.ledger import Spend
from prompt_lab.layout import Layout
from self_improve.full_plan.folder import RESULT, placed


def test_the_same_order_is_resumed_and_another_gets_a_place_of_its_own(tmp_path: Path) -> None:
    """On one day the names are numbered; nothing is ever written over."""
    layout = Layout(tmp_path)
    one = placed(layout, {"model": "a"}, new=False)
    assert placed(layout, {"model": "a"}, new=True) == one
    other = placed(layout, {"model": "b"}, new=False)
    assert other.id == f"{one.id}-2"
    (one.path / RESULT).write_text("{}")
    assert placed(layout, {"model": "a"}, new=False) == one
    again = placed(layout, {"model": "a"}, new=True)
    assert again.id == f"{one.id}-3"
    assert placed(layout, {"model": "a"}, new=False) == again


def test_what_pings_cost_counts_in_later_sessions(tmp_path: Path) -> None:
    """Else a command that is repeated often enough would exceed its cap."""
    place = placed(Layout(tmp_path), {}, new=False)
    assert place.spent() == Spend()
    for _ in range(2):
        place.note_pings({"haiku": Spend(calls=1, tokens=9, dollars=0.5)})
    assert place.spent() == Spend(calls=2, tokens=18, dollars=1.0)
