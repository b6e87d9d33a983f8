"""A campaign that changes finished runs in every file."""

from __future__ import annotations

from tools.hostile import evidence


def test_no_changed_run_stays_evidence_with_another_verdict() -> None:
    """Whatever is done to whichever file, the comparison is refused or says the same."""
    rows = list(evidence.campaign(1))
    assert {row.kind for row in rows} == {
        *evidence.CHANGES, *evidence.WHOLE_RUNS,
    }  # fmt: skip
    assert all(row.runs for row in rows)
    assert [row for row in rows if row.violations] == []
