"""The commands that run both sides of a comparison again with more repeats."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from model_gateway.invocation import typed
from prompt_lab.record import Run

FIRST_SPLIT, FIRST_SEED = "train", 1


def again(before: Sequence[Path], after: Sequence[Path]) -> Callable[[int], str] | None:
    """Return what gives, for a number of repeats, the commands to type.

    It is None for records that do not say enough of how they were made. What a record leaves out
    because it means something on one machine only, such as folders, the user has to add.

    Args:
        before: the directories of the runs of one side; without any, baseline plans are it.
        after: those of the other.
    """
    sides = [[Run(path) for path in side] for side in (before, after) if side]
    metas = [side[0].meta for side in sides]
    if not all(_says_enough(meta) for meta in metas):
        return None
    models = list(dict.fromkeys(run.model for run in sides[-1]))
    code = [meta["code"] for meta in metas]
    branch = code[-1].get("branch")
    if code[0].get("digest") != code[-1].get("digest") and isinstance(branch, str):
        # A branch is run against what it was made from by one command.
        words = _words(metas[-1], models)
        words += ["--branch", branch, "--new"]
        return lambda repeats: f"`{_typed('iterate', words, repeats)}`"
    commands = [[*_words(meta, models), *_settings(meta)] for meta in metas]
    if len(commands) == 1:
        return lambda repeats: f"`{_typed('run', commands[0], repeats)}`"
    return lambda repeats: (
        f"`{_typed('run', commands[0], repeats)}` before, "
        f"`{_typed('run', commands[1], repeats)}` after"
    )


def _says_enough(meta: dict[str, Any]) -> bool:
    return (
        isinstance(meta.get("step"), str)
        and isinstance(meta.get("repeats"), int)
        and isinstance(meta.get("code"), dict)
        and isinstance(meta.get("candidate"), dict)
        and isinstance(meta["candidate"].get("surfaces"), list)
    )


def _words(meta: dict[str, Any], models: Sequence[str]) -> list[str]:
    words = ["--step", meta["step"], "--models", ",".join(models)]
    speed = meta.get("speed")
    return [*words, "--speed", speed] if isinstance(speed, str) else words


def _settings(meta: dict[str, Any]) -> list[str]:
    """Return the words for the plans, the seed and the texts of a side."""
    split, seed = meta.get("split", FIRST_SPLIT), meta.get("seed", FIRST_SEED)
    words = [] if split == FIRST_SPLIT else ["--split", str(split)]
    words += [] if seed == FIRST_SEED else ["--seed", str(seed)]
    for surface in meta["candidate"]["surfaces"]:
        words += ["--prompt", f"{surface}=FILE"]
    return words


def _typed(command: str, words: Sequence[str], repeats: int) -> str:
    # A surface or a model that a host has named is shown as one word, whatever it holds.
    return typed(f"{command} {shlex.join(words)} --repeats {repeats}")
