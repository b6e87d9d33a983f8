"""A forge that posts nothing that holds a key, of whatever author."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_gateway.keys import Redactor
from prompt_lab import leaks
from prompt_lab.leaks import LeakError
from self_improve.forge.forge import Forge, PullRequest, RefusedError, Status


class KeyInTextError(RefusedError):
    """A text holds a key, and nothing of the request was sent."""


class CheckedForge:
    """Passes every call on to another forge, after a look at all texts and names in it."""

    def __init__(self, forge: Forge, redactor: Redactor) -> None:
        self._forge = forge
        self._redactor = redactor

    @property
    def name(self) -> str:
        """The name of the forge in messages."""
        return self._forge.name

    def base_commit(self, repository: Path, base: str) -> str:
        """Bring the base branch's commit into a local repository, and return it."""
        self._require(base_branch=base)
        return self._forge.base_commit(repository, base)

    def push(self, repository: Path, branch: str, commit: str) -> None:
        """Set a branch to a commit of a local repository, if nothing there would be lost."""
        self._require(branch=branch)
        self._forge.push(repository, branch, commit)

    def fetch(self, repository: Path, pull: PullRequest) -> str:
        """Bring the head of a pull request into a local repository, and return its commit."""
        return self._forge.fetch(repository, pull)

    def open_pull(
        self, *, branch: str, base: str, title: str, body: str, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Open a pull request for a pushed branch, or return the one that is open for it."""
        self._require(branch=branch, title=title, text=body, labels="\n".join(labels))
        return self._forge.open_pull(
            branch=branch, base=base, title=title, body=body, labels=labels
        )

    def pull(self, number: int) -> PullRequest:
        """Return a pull request."""
        return self._forge.pull(number)

    def pull_of(self, branch: str) -> PullRequest | None:
        """Return the open pull request of a branch, or else its latest, or None."""
        return self._forge.pull_of(branch)

    def write_body(self, number: int, body: str) -> None:
        """Set the text of a pull request."""
        self._require(text=body)
        self._forge.write_body(number, body)

    def comment(self, number: int, marker: str, body: str) -> None:
        """Write our one comment with this marker: a new one, or the old one updated in place."""
        self._require(marker=marker, comment=body)
        self._forge.comment(number, marker, body)

    def comments(self, number: int) -> dict[str, str]:
        """Return the texts of our comments by their markers."""
        return self._forge.comments(number)

    def set_status(self, commit: str, status: Status) -> None:
        """Set the commit status `plumbline/verdict`; the description is cut to fit."""
        self._require(status=status.description, address=status.url or "")
        self._forge.set_status(commit, status)

    def status_of(self, commit: str) -> Status | None:
        """Return the commit status `plumbline/verdict`, or None if it was never set."""
        return self._forge.status_of(commit)

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add labels to a pull request, and remove those of `remove` that it has."""
        self._require(labels="\n".join(add))
        self._forge.label(number, add=add, remove=remove)

    def close(self, number: int) -> None:
        """Close a pull request without merging it, unless it has ended already."""
        self._forge.close(number)

    def merge(self, number: int, *, head: str) -> str:
        """Merge a pull request if its head is this very commit; return the commit on the base."""
        return self._forge.merge(number, head=head)

    def _require(self, **texts: str) -> None:
        named = {f"the {name.replace('_', ' ')}": text for name, text in texts.items()}
        try:
            leaks.require_no_keys(self._redactor, named, f"{self._forge.name}: nothing was posted")
        except LeakError as error:
            raise KeyInTextError(str(error)) from error
