"""Run one iteration on this data repo: `python run_optimization_iteration.py --help`."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path

MODULE = "self_improve.iteration"


def is_there() -> bool:
    """Say whether the installed Plumbline can run iterations."""
    try:
        return importlib.util.find_spec(MODULE) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    os.environ.setdefault("PROMPT_LAB_DIR", str(Path(__file__).resolve().parent))
    if not is_there():
        print(
            f"The Plumbline of this Python cannot run iterations: it has no {MODULE}. "
            "Type: python -m pip install --upgrade plumbline",
            file=sys.stderr,
        )
        sys.exit(2)
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
