"""Git for code: it runs no hooks, asks for nothing, and has its own settings.

Code may be a stranger's, and so may the settings of its repository: they can name programs that git
would run only to look at it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_lab import git
from prompt_lab.git import GitError, as_environment, patiently

__all__ = ["GitError", "inspect", "run"]

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "submodule.recurse": "false",
    "protocol.ext.allow": "never",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
}
_SECONDS = 120.0
_RUNS_PROGRAMS = re.compile(
    r"filter\..*\.(clean|smudge|process|required)|diff\..*\.(command|textconv)|diff\.external|"
    r"merge\..*\.driver|core\.(sshcommand|gitproxy|editor|pager|askpass|alternaterefscommand)|"
    r"remote\..*\.(uploadpack|receivepack|vcs|promisor)",
    re.IGNORECASE | re.DOTALL,
)
_OF_THE_REPOSITORY = ("local", "worktree")


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


def inspect(folder: Path, *words: str) -> str:
    """Run `git WORDS`, which only looks, on a repository that may be a stranger's.

    No program that the repository's own settings name is run, and nothing is fetched; what the
    user's settings name is, such as the filters of git-lfs.

    Raises:
        GitError: as `run`.
    """
    return run(
        folder, *words, environment={"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"},
        settings=[(key, "") for key in _program_settings(folder)],
    )  # fmt: skip


def _program_settings(folder: Path) -> list[str]:
    """Return the settings of the repository itself that name programs; nothing is run to see it."""
    listed = run(folder, "config", "--list", "--show-scope", "--name-only", "-z").split("\0")
    pairs = zip(listed[::2], listed[1::2], strict=False)
    return [
        key for scope, key in pairs if scope in _OF_THE_REPOSITORY and _RUNS_PROGRAMS.fullmatch(key)
    ]
