"""Git as a command that sees the repository it is told of and no other, and runs no hooks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from self_improve.errors import ImproveError

# What a hook or another tool around us may have set: each would lead git to another repository,
# or the last three write what is sent (a token) to the screen.
_CLEARED = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_CONFIG", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS",
    "GIT_QUARANTINE_PATH", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE_REDACT",
)  # fmt: skip
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


class GitError(ImproveError):
    """Git refused; `told` is what it said."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def run(
    folder: Path,
    *words: str,
    environment: Mapping[str, str] | None = None,
    settings: Sequence[tuple[str, str]] = (),
    keep: Sequence[int] = (),
    seconds: float = _SECONDS,
) -> str:
    """Run `git WORDS` in a folder and return what it printed.

    `environment` holds no secrets; `settings`, configuration for this call, may: no list of
    processes shows them. `keep` are open files that git holds too, so that a lock outlives
    the death of this process until git has ended.

    Raises:
        GitError: git is missing, refused, or took longer than `seconds`.
    """
    try:
        # Imported here because it fails where git is not installed, and takes a while.
        from git import Git, GitCommandNotFound
    except ImportError as error:
        raise GitError(
            "Git cannot be started. Install git, then repeat the command.", ""
        ) from error
    cleared = [word for name in _CLEARED for word in ("-u", name)]
    given = [f"{name}={value}" for name, value in (environment or {}).items()]
    try:
        status, printed, told = Git(folder).execute(
            ["env", *cleared, *given, "git", *words],
            env={
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_LITERAL_PATHSPECS": "1",
                **_as_environment([*_SETTINGS.items(), *settings]),
                **(environment or {}),
            },
            with_extended_output=True,
            with_exceptions=False,
            strip_newline_in_stdout=True,
            kill_after_timeout=seconds,
            pass_fds=tuple(keep),
        )
    except (GitCommandNotFound, OSError, ValueError) as error:
        raise GitError(f"Git cannot be started: {error}", "") from error
    if status != 0:
        raise GitError(f"git {words[0]} failed: {told.strip() or f'it ended with {status}'}", told)
    return str(printed)


def _as_environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return settings as git reads them from its environment, after those that stand there."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    made = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, start=first):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return made
