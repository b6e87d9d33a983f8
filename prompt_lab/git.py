"""Git as a command that acts on the repository it is given and on no other."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from prompt_lab.errors import LabError

if TYPE_CHECKING:
    import git

T = TypeVar("T")

# A hook or another tool around us may have set these: each would lead git to another repository,
# or the last three print what is sent (a token) on the screen.
_CLEARED = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_CONFIG", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS",
    "GIT_QUARANTINE_PATH", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE_REDACT",
)  # fmt: skip
# What git says, in English, where another git holds a lock, has just moved the same ref, or is
# making a worktree.
_BUSY = re.compile(
    r"\.lock'?: File exists|cannot lock ref|could not lock config file|reference already exists"
    r"|failed to update ref|Unable to create .*\.lock|bad object worktrees/"
)
# What would outlive a command of ours, together with the lock that it holds.
_SETTINGS = {"core.fsmonitor": "false", "gc.autoDetach": "false", "maintenance.autoDetach": "false"}
_INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT)
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0)
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
        KeyboardInterrupt: git was interrupted.
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
    if status in _INTERRUPTED:
        # A terminal interrupts git together with this process, which learns of it a little later.
        raise KeyboardInterrupt
    if status != 0:
        reason = errors.strip() or f"it ended with {status}"
        raise GitError(f"git {words[0]} failed: {reason}", errors)
    return str(output)


def patiently(call: Callable[[], T]) -> T:
    """Call git, and for some seconds again while another git holds a lock.

    Raises:
        GitError: it failed otherwise, or the lock is held for longer.
    """
    for wait in _WAITS:
        try:
            return call()
        except GitError as error:
            if not _BUSY.search(error.output):
                raise
        time.sleep(wait)
    return call()


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
            "GIT_LITERAL_PATHSPECS": "1",
            **as_environment(_SETTINGS.items()),
        }
        self.folder = folder

    def __call__(
        self, *words: str, keep: Sequence[int] = (), author: Mapping[str, str] | None = None
    ) -> str:
        """Run `git WORDS` and return what it printed.

        `keep` are open files that git holds too, `author` variables that name another author.
        """
        environment = {**self._environment, **(author or {})}
        return patiently(lambda: run(self._root, *words, environment=environment, keep=keep))

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


def as_environment(settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return settings as git reads them from its environment, after those already there."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    pairs = list(settings)
    variables = {"GIT_CONFIG_COUNT": str(first + len(pairs))}
    for number, (key, value) in enumerate(pairs, start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _program() -> type[git.Git]:
    try:
        # Imported here because it fails where git is not installed, and takes a while.
        from git import Git as Program
    except ImportError as error:
        raise GitError(
            "Git cannot be started. Install git, then run this command again."
        ) from error
    return Program
