"""The interface of a forge, its facts and its errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from self_improve.errors import ImproveError

CONTEXT = "plumbline/verdict"
"""The name of the commit status, which branch protection can require."""

LONGEST_BODY = 65_536
LONGEST_DESCRIPTION = 140
LONGEST_TITLE = 256

_MARKER = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_LABEL = re.compile(r"[\w.:+-]([\w .:+-]{0,48}[\w.:+-])?")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class ForgeError(ImproveError):
    """A request to a forge failed."""


class UnreachableError(ForgeError):
    """It is down, too slow, or accepts no more requests for now; a later try may succeed."""


class UncertainError(UnreachableError):
    """The answer is missing: the request may or may not have been carried out."""


class MissingError(ForgeError):
    """What was asked for does not exist, or this token may not see it."""


class RefusedError(ForgeError):
    """The forge refuses; a repetition would not help."""


class MovedError(ForgeError):
    """A branch is at another commit than expected: somebody else pushed."""


class PullState(StrEnum):
    """Whether a pull request is open, closed or merged."""

    open = "open"
    closed = "closed"
    merged = "merged"


class StatusState(StrEnum):
    """The state of a commit status."""

    pending = "pending"
    success = "success"
    failure = "failure"


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request as it is now.

    `head` is the commit at the tip of its branch, or what it was when the pull request ended.
    `is_fork` says that the branch is in a fork of the repository. `merged_as` is the commit on the
    base that contains it, None unless it is merged.
    """

    number: int
    url: str
    title: str
    body: str
    state: PullState
    branch: str
    head: str
    base: str
    is_fork: bool
    labels: tuple[str, ...]
    merged_as: str | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """A commit status: a description of at most 140 characters, and a link to more."""

    state: StatusState
    description: str
    url: str | None = None


class Forge(Protocol):
    """A place for branches and pull requests.

    Every call may be repeated after a kill: it finds what exists and does only what is left.
    All of them raise a `ForgeError`. Titles and bodies are sent as they are: texts of models and
    users must have gone through `markup` before.
    """

    @property
    def name(self) -> str:
        """The name of the forge in messages."""

    def base_commit(self, repository: Path, base: str) -> str:
        """Bring the base branch's commit into a local repository, and return it."""

    def push(self, repository: Path, branch: str, commit: str) -> None:
        """Set a branch to a commit of a local repository, if nothing there would be lost."""

    def fetch(self, repository: Path, pull: PullRequest) -> str:
        """Bring the head of a pull request into a local repository, and return its commit.

        The commit is kept under `refs/plumbline/pulls`; branches and checkout stay.
        """

    def open_pull(
        self, *, branch: str, base: str, title: str, body: str, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Open a pull request for a pushed branch, or return the one that is open for it.

        `labels` are added; the text of one that was already open stays as it is.
        """

    def pull(self, number: int) -> PullRequest:
        """Return a pull request."""

    def pull_of(self, branch: str) -> PullRequest | None:
        """Return the open pull request of a branch, or else its latest, or None."""

    def write_body(self, number: int, body: str) -> None:
        """Set the text of a pull request."""

    def comment(self, number: int, marker: str, body: str) -> None:
        """Write our one comment with this marker: a new one, or the old one updated in place."""

    def comments(self, number: int) -> dict[str, str]:
        """Return the texts of our comments by their markers."""

    def set_status(self, commit: str, status: Status) -> None:
        """Set the commit status `plumbline/verdict`; the description is cut to fit."""

    def status_of(self, commit: str) -> Status | None:
        """Return the commit status `plumbline/verdict`, or None if it was never set."""

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add labels to a pull request, and remove those of `remove` that it has."""

    def close(self, number: int) -> None:
        """Close a pull request without merging it, unless it has ended already."""

    def merge(self, number: int, *, head: str) -> str:
        """Merge a pull request if its head is this very commit; return the commit on the base."""


def checked_marker(marker: str) -> str:
    """Return the marker if it consists of a-z, 0-9 and dashes.

    Raises:
        ValueError: it is not.
    """
    if not _MARKER.fullmatch(marker):
        raise ValueError(f"{marker!r} is not a marker: use a-z, 0-9 and dashes")
    return marker


def checked_label(label: str) -> str:
    """Return the label if every forge can have it.

    Raises:
        ValueError: it is too long, or has characters that would change an address.
    """
    if not _LABEL.fullmatch(label):
        raise ValueError(f"{label!r} is not a label: use letters, digits, spaces and .:+-")
    return label


def checked_commit(commit: str) -> str:
    """Return the commit if it is a full hash.

    Raises:
        ValueError: it is not.
    """
    if not _COMMIT.fullmatch(commit):
        raise ValueError(f"{commit!r} is not the full hash of a commit")
    return commit
