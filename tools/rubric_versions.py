"""Writes tests/rubrics/versions.json: what each version of a rubric says, as a digest.

Measures, noise and verdicts name the version they were made with, so a rubric that says something
else needs another one. `python -m tools.rubric_versions` takes new versions in and refuses a rubric
that was changed without raising its version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from rubrics import load
from rubrics.rubric import Rubric

PATH = Path(__file__).resolve().parent.parent / "tests" / "rubrics" / "versions.json"


def digest(rubric: Rubric) -> str:
    """Return the digest of all that a rubric decides by; its text for humans is left out."""
    told = rubric.model_dump(mode="json", exclude={"why", "version"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def unraised(rubric: Rubric, known: Mapping[str, list[object]]) -> str | None:
    """Return what is wrong with a rubric's version, if anything is."""
    if rubric.step not in known:
        return None
    version, was = known[rubric.step]
    if digest(rubric) == was and rubric.version == version:
        return None
    if digest(rubric) != was and rubric.version == version:
        return f"{rubric.step}: raise version {version}, because the rubric says something else"
    if not isinstance(version, int) or rubric.version < version:
        return f"{rubric.step}: version {rubric.version} is older than {version}"
    return None


def kept() -> dict[str, list[object]]:
    """Return the version and the digest of each step that were taken in last."""
    found: dict[str, list[object]] = json.loads(PATH.read_bytes()) if PATH.exists() else {}
    return found


def current() -> dict[str, list[object]]:
    """Return the same of the rubrics as they are."""
    rubrics = (load.find(name) for name in load.names())
    return {one.step: [one.version, digest(one)] for one in rubrics if one is not None}


def main() -> None:
    """Write the file, or say which version must be raised."""
    rubrics = (load.find(name) for name in load.names())
    wrong = [told for one in rubrics if one is not None and (told := unraised(one, kept()))]
    if wrong:
        raise SystemExit("\n".join(wrong))
    lines = [f"  {json.dumps(step)}: {json.dumps(one)}" for step, one in current().items()]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
