"""How the user types a command of this project: the way in which this process was started."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

SCRIPT = "plumbline"
MODULES = {
    "run": "self_improve.runner", "steps": "self_improve.steps",
    "evaluate": "self_improve.evaluate", "compare": "self_improve.compare",
    "noise": "self_improve.noise", "iterate": "self_improve.iteration",
    "generators": "self_improve.generators",
    "optimize": "self_improve.optimizer", "full-plan": "self_improve.full_plan",
    "rollback": "self_improve.rollback", "rollout": "self_improve.rollout", "lab": "prompt_lab",
    "models": "model_gateway", "plan": "worker_plan",
}  # fmt: skip
"""The package or module that runs each subcommand of the console script."""


def as_typed() -> str:
    """Return the command that started this process, as it can be typed again."""
    if Path(sys.argv[0]).stem == SCRIPT:
        return shlex.join([SCRIPT, *sys.argv[1:]])
    return shlex.join(["python", *sys.orig_argv[1:]])


def typed(words: str) -> str:
    """Return how to type a subcommand with its words, such as `lab init DIR`, for a message.

    It is `plumbline lab init DIR` if the console script started this process, and otherwise
    `python -m prompt_lab init DIR`.
    """
    if Path(sys.argv[0]).stem == SCRIPT:
        return f"{SCRIPT} {words}"
    command, _, rest = words.partition(" ")
    return f"python -m {MODULES[command]} {rest}".rstrip()
