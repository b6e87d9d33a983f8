"""Writes tests/rubrics/versions.json: the digest of each version of a rubric.

Measures, noise and verdicts name the version they were made with, so a changed rubric needs a new
version. `python -m tools.rubric_versions` accepts new versions and refuses a rubric that was
changed without raising its version.
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
    """Return the digest of the parts of a rubric that decide; its text for people is left out."""
    content = rubric.model_dump(mode="json", exclude={"why", "version"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def unraised(rubric: Rubric, accepted: Mapping[str, list[object]]) -> str | None:
    """Return the problem of a rubric's version, if there is one."""
    if rubric.step not in accepted:
        return None
    version, was = accepted[rubric.step]
    if digest(rubric) == was and rubric.version == version:
        return None
    if digest(rubric) != was and rubric.version == version:
        return f"{rubric.step}: raise version {version}, because the rubric has changed"
    if not isinstance(version, int) or rubric.version < version:
        return f"{rubric.step}: version {rubric.version} is older than {version}"
    return None


def recorded() -> dict[str, list[object]]:
    """Return the version and the digest of each step that were accepted last."""
    versions: dict[str, list[object]] = json.loads(PATH.read_bytes()) if PATH.exists() else {}
    return versions


def current() -> dict[str, list[object]]:
    """Return the same for the rubrics of today."""
    rubrics = (load.find(name) for name in load.names())
    return {one.step: [one.version, digest(one)] for one in rubrics if one is not None}


def main() -> None:
    """Write the file, or say which version must be raised."""
    rubrics = (load.find(name) for name in load.names())
    wrong = [issue for one in rubrics if one is not None and (issue := unraised(one, recorded()))]
    if wrong:
        raise SystemExit("\n".join(wrong))
    lines = [f"  {json.dumps(step)}: {json.dumps(one)}" for step, one in current().items()]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
