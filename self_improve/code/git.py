"""Git for code: it runs no hooks, asks for nothing, and has its own settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_lab import git
from prompt_lab.git import GitError

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
    return git.run(
        folder,
        *words,
        environment={
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            **_as_environment([*_SETTINGS.items(), *settings]),
            **(environment or {}),
        },
        keep=keep,
        seconds=seconds,
    )


def _as_environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return settings as git reads them from its environment, after those already there."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables
