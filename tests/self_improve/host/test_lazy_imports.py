"""What functions import when they are called is loaded beforehand, and nothing else is."""

from __future__ import annotations

import sys
from pathlib import Path

from self_improve.host import lazy_imports
from self_improve.host.contract import Host
from tests.self_improve.hosts import loaded

FIRST = """
import typing

if typing.TYPE_CHECKING:
    from HOST import typed


def run():
    from HOST.late import TEXT
    import HOST.broken
    import antigravity
    return TEXT


class Task:
    async def run(self):
        from . import beside
        return beside
"""
LATE = """
TEXT = "A text that is found late."


def again():
    import HOST.later
"""
WRITTEN = {
    "late": LATE,
    "later": "NUMBER = 1",
    "beside": "NUMBER = 2",
    "broken": "1 / 0",
    "typed": "raise AssertionError('only for the type checker')",
    "untouched": "raise AssertionError('nobody imports this')",
}


def test_modules_imported_in_functions_are_loaded(tmp_path: Path) -> None:
    """Those of the host, found again in what was loaded; broken ones are left to the cell."""
    with loaded(tmp_path, {"first": FIRST}) as host:
        for name, source in WRITTEN.items():
            text = source.replace("HOST", host.name)
            (host.folder / f"{name}.py").write_text(text, encoding="utf-8")
        lazy_imports.load(Host.model_validate(host.host().model_dump()))
        there = {name for name in WRITTEN if f"{host.name}.{name}" in sys.modules}
    assert there == {"late", "later", "beside"}
    assert "antigravity" not in sys.modules
