"""What agents may read is a fixed list."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import AnalysisError
from analysis.materials import within
from analysis.record import Record
from tests.analysis.conftest import OUTPUT


def test_own_pages_and_listed_outputs_are_material(record: Record) -> None:
    """Nothing else of the data repo is."""
    (record.layout.root / "secret.md").write_text("x")
    assert record.materials().names() == sorted(
        [
            OUTPUT,
            *(
                record.name(f)
                for f in ("meta.json", "measures.md", "change.diff", "step_source.txt")
            ),
        ]
    )


def test_name_that_leads_out_is_refused(tmp_path: Path) -> None:
    """Also through a link."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "link.md").symlink_to(tmp_path / "outside.md")
    (tmp_path / "outside.md").write_text("x")
    for name in ("../outside.md", "link.md", "/etc/passwd"):
        with pytest.raises(AnalysisError, match="leads out"):
            within(tmp_path / "lab", [name])


def test_file_too_large_or_gone_has_no_text(tmp_path: Path) -> None:
    """It is material without content."""
    (tmp_path / "large.md").write_bytes(b"x" * 2_000_001)
    materials = within(tmp_path, ["large.md", "gone.md"])
    assert materials.text("large.md") is None
    assert materials.text("gone.md") is None
    assert materials.text("other.md") is None
