"""Units of work of `make real`: each is done once, and its result is kept in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_lab import atomic

Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A piece of work under a name; `work` gives plain JSON values."""

    name: str
    work: Callable[[], Result]


class Results:
    """The results that are in a folder, one file a unit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> Result | None:
        """Return a unit's result, or None if it was not worked off yet."""
        path = self._path(name)
        if not path.is_file():
            return None
        result: Result = json.loads(path.read_text(encoding="utf-8"))
        return result

    def put(self, name: str, result: Result) -> None:
        """Store a result; it replaces an earlier one."""
        atomic.write(self._path(name), json.dumps(result, indent=1).encode())

    def named(self, prefix: str) -> dict[str, Result]:
        """Return the results of all units whose names begin with `prefix` and a slash."""
        rows: dict[str, Result] = {}
        for path in sorted(self._folder.glob(f"{prefix.replace('/', '--')}--*.json")):
            name = path.stem.replace("--", "/").removeprefix(f"{prefix}/")
            rows[name] = json.loads(path.read_text(encoding="utf-8"))
        return rows

    def work_off(self, units: Iterable[Unit], *, until: float) -> int:
        """Work off what has no result yet, begin nothing after `until`; return how many are left.

        `until` is a moment of the monotonic clock.
        """
        left = 0
        for unit in units:
            if self.get(unit.name) is not None:
                continue
            if time.monotonic() > until:
                left += 1
                continue
            began = time.monotonic()
            result = unit.work()
            result.setdefault("seconds", round(time.monotonic() - began, 1))
            self.put(unit.name, result)
            print(f"{unit.name}: {result['seconds']:g} s", flush=True)
        return left

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace('/', '--')}.json"
