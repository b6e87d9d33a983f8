"""Git for code: it runs no hooks, asks for nothing, and has its own settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_lab import git
from prompt_lab.git import GitError, as_environment, patiently

__all__ = ["GitError", "run"]

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
}
_SECONDS = 120.0


def run(
    folder: Path,
    *words: str,
    environment: Mapping[str, str] | None = None,
    settings: Sequence[tuple[str, str]] = (),
    keep: Sequence[int] = (),
    seconds: float = _SECONDS,
) -> str:
    """Run `git WORDS` in a folder and return its output.

    `settings`, configuration for this call, may hold secrets: no list of processes shows them.
    `keep` are open files that git holds too.

    Raises:
        GitError: git is missing, failed, or took longer than `seconds`.
    """
    variables = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        **as_environment([*_SETTINGS.items(), *settings]),
        **(environment or {}),
    }
    return patiently(
        lambda: git.run(folder, *words, environment=variables, keep=keep, seconds=seconds)
    )
