"""A campaign that changes finished runs in every file."""

from __future__ import annotations

from tools import hostile_evidence


def test_no_changed_run_stays_evidence_with_another_verdict() -> None:
    """Whatever is done to whichever file, the comparison is refused or says the same."""
    rows = list(hostile_evidence.campaign(rounds=1))
    assert {kind for kind, _, _ in rows} == {
        *hostile_evidence.CHANGES, *hostile_evidence.WHOLE_RUNS,
    }  # fmt: skip
    assert all(runs for _, runs, _ in rows)
    assert [row for row in rows if row[2]] == []
