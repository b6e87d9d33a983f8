"""The code that a measure depends on, as a digest: when it changes, all is measured anew."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import model_gateway
from rubrics import rubric as rubric_module
from self_improve import metrics

_MODULES = (
    "attempt_index", "cell_costs", "figures", "measure", "metric", "old_failures", "places",
    "reading", "run_facts", "similarity", "subject", "told_texts", "tokens",
)  # fmt: skip


@cache
def code_digest() -> str:
    """Return the SHA-256 of the code whose change may change a measure."""
    own = Path(__file__).parent
    files = [own / f"{name}.py" for name in _MODULES]
    files += sorted(Path(next(iter(metrics.__path__))).glob("*.py"))
    files += [Path(str(rubric_module.__file__))]
    files += [Path(next(iter(model_gateway.__path__))) / "replies.py"]
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()
