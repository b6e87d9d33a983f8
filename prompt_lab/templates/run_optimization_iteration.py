"""Run one iteration on this data repo: `python run_optimization_iteration.py --help`."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path

MODULE = "self_improve.iteration"


def problem() -> str | None:
    """Return why this Python cannot run iterations, or None if it can."""
    try:
        if importlib.util.find_spec(MODULE) is not None:
            return None
    except ModuleNotFoundError:
        return "Plumbline is not installed in this Python. Type: python -m pip install plumbline"
    return (
        f"The Plumbline of this Python cannot run iterations: it has no {MODULE}. "
        "Type: python -m pip install --upgrade plumbline"
    )


if __name__ == "__main__":
    os.environ.setdefault("PROMPT_LAB_DIR", str(Path(__file__).resolve().parent))
    message = problem()
    if message is not None:
        print(message, file=sys.stderr)
        sys.exit(2)
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
