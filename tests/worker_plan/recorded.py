"""Plans that another pipeline of this kind made, read where they are packed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from zipfile import ZipFile

from tests.worker_plan.conftest import shared


def plans(*names: str) -> Iterator[dict[str, bytes]]:
    """Yield the artifacts with these names of each recorded plan, by name."""
    for archive in sorted(shared("recorded", "baseline").rglob("*.zip")):
        with ZipFile(archive) as files:
            by_name = {PurePosixPath(path).name: path for path in files.namelist()}
            yield {name: files.read(by_name[name]) for name in names}
