"""Git as a command that acts on the repository it is given and on no other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_lab.errors import LabError

if TYPE_CHECKING:
    import git

# A hook or another tool around us may have set these: each would lead git to another repository,
# or the last three print what is sent (a token) on the screen.
_CLEARED = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_CONFIG", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS",
    "GIT_QUARANTINE_PATH", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE_REDACT",
)  # fmt: skip
_DEFAULT_AUTHOR = {"name": "Plumbline", "email": "plumbline@localhost"}


class GitError(LabError):
    """Git failed; `output` is what it printed as errors."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def run(
    folder: Path,
    *words: str,
    environment: Mapping[str, str] | None = None,
    keep: Sequence[int] = (),
    seconds: float | None = None,
) -> str:
    """Run `git WORDS` in a folder and return what it printed, without the last line break.

    `keep` are open files that git holds too, so that a lock outlives the death of this process
    until git has ended.

    Raises:
        GitError: git is missing, failed, or took longer than `seconds`.
    """
    program = _program()
    changes = dict(environment or {})
    cleared = [word for name in _CLEARED for word in ("-u", name)]
    again = [f"{name}={changes[name]}" for name in _CLEARED if name in changes]
    try:
        status, output, errors = program(folder).execute(
            ["env", *cleared, *again, "git", *words],
            env=changes,
            with_extended_output=True,
            with_exceptions=False,
            strip_newline_in_stdout=True,
            kill_after_timeout=seconds,
            pass_fds=tuple(keep),
        )
    except (OSError, ValueError, ImportError) as error:
        raise GitError(f"Git cannot be started: {error}") from error
    if status != 0:
        reason = errors.strip() or f"it ended with {status}"
        raise GitError(f"git {words[0]} failed: {reason}", errors)
    return str(output)


class Git:
    """Git for the repository in `root`, with the user's hooks, settings and credentials.

    Raises:
        GitError: git is missing, or a command failed.
    """

    def __init__(self, root: Path) -> None:
        _program()
        self._root = root
        folder = root / ".git"
        if folder.is_file():
            folder = Path(run(root, "rev-parse", "--absolute-git-dir"))
        self._environment = {
            "GIT_DIR": str(folder),
            "GIT_WORK_TREE": str(root),
            "GIT_INDEX_FILE": str(folder / "index"),
        }

    def __call__(self, *words: str) -> str:
        """Run `git WORDS` and return what it printed."""
        return run(self._root, *words, environment=self._environment)

    def attempt(self, *words: str) -> str:
        """Run `git WORDS` and return what it printed, or nothing if it failed."""
        try:
            return self(*words)
        except GitError:
            return ""

    def name_author(self) -> None:
        """Give commits an author where the user has set none."""
        for key, value in _DEFAULT_AUTHOR.items():
            if not self.attempt("config", "--get", f"user.{key}"):
                for role in ("AUTHOR", "COMMITTER"):
                    variable = f"GIT_{role}_{key.upper()}"
                    self._environment[variable] = os.environ.get(variable, value)


def _program() -> type[git.Git]:
    try:
        # Imported here because it fails where git is not installed, and takes a while.
        from git import Git as Program
    except ImportError as error:
        raise GitError(
            "Git cannot be started. Install git, then run this command again."
        ) from error
    return Program
