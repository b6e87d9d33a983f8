"""The work breakdown, read off its table."""

from __future__ import annotations

from tests.worker_plan.whole_plan import WORK
from worker_plan.outline import entries, outline


def test_depth_is_the_column_of_the_name() -> None:
    """Head and ids are left out; a row without a name is none."""
    rows = entries(f"{WORK};;;;t9\n\n")
    assert [(entry.depth, entry.name) for entry in rows] == [
        (0, "Bakery"),
        (1, "Hull"),
        (2, "Buy an oven"),
        (3, "Measure the hatch"),
        (1, "Bread"),
    ]


def test_outline_is_indented_by_depth() -> None:
    """A model sees what belongs to what, and no ids."""
    assert outline(WORK).splitlines() == [
        "- Bakery",
        "  - Hull",
        "    - Buy an oven",
        "      - Measure the hatch",
        "  - Bread",
    ]


def test_names_may_hold_delimiters_and_line_ends() -> None:
    """Quoted cells are read as a spreadsheet reads them, and marks against formulas are undone."""
    table = 'Level 1;Task ID\n"a;b\n""c""";x\n\'=SUM(A1);y\n'
    assert [entry.name for entry in entries(table)] == ['a;b\n"c"', "=SUM(A1)"]
