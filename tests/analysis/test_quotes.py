"""A quote counts only where it stands."""

from __future__ import annotations

import pytest

from analysis import quotes
from analysis.record import Record
from tests.analysis.conftest import OUTPUT


@pytest.mark.parametrize(
    ("line", "quote", "result"),
    [
        (1, "needs a mooring", 1),
        (0, "needs a mooring", 1),
        (3, "needs  a\tmooring", 1),
        (3, "Ｋlasse: physical", 3),
        (4, "needs a mooring", None),
        (1, "needs two moorings", None),
        (1, "a", None),
        (1, "", None),
        (-5, "needs a mooring", None),
        (10**12, "needs a mooring", None),
    ],
)
def test_quote_is_looked_for_near_its_line(
    record: Record, line: int, quote: str, result: int | None
) -> None:
    """Two lines around, whatever the white space and the width of its characters."""
    checked = quotes.check(record.materials(), path=OUTPUT, line=line, quote=quote)
    assert checked.found == result
    assert checked.holds is (result is not None)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../../etc/passwd", "analysis/3_plan_type/../../dataset.json", ""]
)
def test_file_that_is_not_listed_is_never_opened(record: Record, path: str) -> None:
    """A path of an agent's making finds nothing."""
    (record.layout.root / "dataset.json").write_text("root:x:0\n")
    assert not quotes.check(record.materials(), path=path, line=1, quote="root:x:0").holds
