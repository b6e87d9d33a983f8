"""Writes `schema.json`: what a rubric holds, for editors and for other programs.

`python -m rubrics.schema` regenerates it; a test fails when that was forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path

from rubrics.rubric import Rubric

PATH = Path(__file__).with_name("schema.json")


def text() -> str:
    """Return the JSON schema of a rubric."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Rubric.model_json_schema(),
    }
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Write the file."""
    PATH.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
