"""GitHub and GitHub Enterprise: PyGithub for the interface, git for the branches."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from prompt_lab.markup import page, plain_line
from self_improve.forge.forge import (
    CONTEXT,
    LONGEST_BODY,
    LONGEST_DESCRIPTION,
    LONGEST_TITLE,
    MovedError,
    PullRequest,
    PullState,
    RefusedError,
    Status,
    StatusState,
    checked_commit,
    checked_label,
    checked_marker,
)
from self_improve.forge.github_access import Access, from_environment
from self_improve.forge.github_errors import classify

if TYPE_CHECKING:
    from github import Github
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest as GithubPull
    from github.Repository import Repository

    from self_improve.forge.github_retry import BoundedRetry

_MARKER = re.compile(r"<!-- plumbline:([a-z0-9-]+) -->\n")
_VERSION = "2022-11-28"

T = TypeVar("T")


class GitHubForge:
    """A repository on GitHub.

    `timeout` is how many seconds an answer may take, `seconds_between_writes` what GitHub asks for.
    """

    def __init__(
        self, access: Access, *, retry: BoundedRetry | None = None, timeout: int = 30,
        seconds_between_writes: float = 1.0,
    ) -> None:  # fmt: skip
        """Name the repository; nothing is sent yet."""
        self._access = access
        self._remote = access.remote
        self._chosen_retry = retry
        self._timeout = timeout
        self._between = seconds_between_writes
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, repository: str) -> Self:
        """Return the forge for OWNER/NAME, with the token in GITHUB_TOKEN, at GITHUB_API_URL.

        Raises:
            UsageError: there is no token, or something about the repository is wrong.
        """
        return cls(from_environment(repository))

    @property
    def name(self) -> str:
        """The name of the forge in messages."""
        return self._access.name

    def base_commit(self, repository: Path, base: str) -> str:
        """Bring the base branch's commit into a local repository, and return it."""
        ref = f"refs/heads/{base}"
        return self._retry.repeat(lambda: self._remote.fetch(repository, ref, f"bases/{base}"))

    def push(self, repository: Path, branch: str, commit: str) -> None:
        """Set a branch to a commit of a local repository, if nothing there would be lost."""
        self._retry.repeat(lambda: self._remote.push(repository, branch, commit))

    def fetch(self, repository: Path, pull: PullRequest) -> str:
        """Bring the head of a pull request into a local repository, and return its commit."""
        ref = f"refs/pull/{pull.number}/head"
        return self._retry.repeat(
            lambda: self._remote.fetch(repository, ref, f"pulls/{pull.number}")
        )

    def open_pull(
        self, *, branch: str, base: str, title: str, body: str, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Open a pull request for a pushed branch, or return the one that is open for it."""
        added = tuple(map(checked_label, labels))

        def opened() -> PullRequest:
            # Looked for at every attempt: the answer to an earlier one may have been lost.
            pull = self._pull_of(branch)
            if pull is not None and pull.state is PullState.open:
                return pull
            return self._facts(
                self._repo.create_pull(
                    base=base, head=branch, title=plain_line(title, most=LONGEST_TITLE),
                    body=page(body, most=LONGEST_BODY),
                )
            )  # fmt: skip

        pull = self._ask(f"the pull request for {branch}", opened)
        if set(added) <= set(pull.labels):
            return pull
        self.label(pull.number, add=added)
        return self.pull(pull.number)

    def pull(self, number: int) -> PullRequest:
        """Return a pull request."""
        what = f"pull request {number}"
        return self._ask(what, lambda: self._facts(self._repo.get_pull(number)))

    def pull_of(self, branch: str) -> PullRequest | None:
        """Return the open pull request of a branch, or else its latest, or None."""
        return self._ask(f"the pull requests for {branch}", lambda: self._pull_of(branch))

    def write_body(self, number: int, body: str) -> None:
        """Set the text of a pull request."""
        what = f"the text of pull request {number}"
        self._ask(
            what, lambda: self._repo.get_pull(number).edit(body=page(body, most=LONGEST_BODY))
        )

    def comment(self, number: int, marker: str, body: str) -> None:
        """Write our one comment with this marker: a new one, or the old one updated in place."""
        whole = page(f"<!-- plumbline:{checked_marker(marker)} -->\n{body}", most=LONGEST_BODY)

        def written() -> None:
            for its_marker, comment in self._own_comments(number):
                if its_marker == marker:
                    if comment.body != whole:
                        comment.edit(whole)
                    return
            self._repo.get_issue(number).create_comment(whole)

        self._ask(f"the comment on pull request {number}", written)

    def comments(self, number: int) -> dict[str, str]:
        """Return the texts of our comments by their markers."""

        def read() -> dict[str, str]:
            comments = reversed(list(self._own_comments(number)))
            return {marker: _MARKER.sub("", one.body, count=1) for marker, one in comments}

        return self._ask(f"the comments on pull request {number}", read)

    def set_status(self, commit: str, status: Status) -> None:
        """Set the commit status `plumbline/verdict`; the description is cut to fit."""
        sent = {
            "state": str(status.state), "context": CONTEXT,
            "description": plain_line(status.description, most=LONGEST_DESCRIPTION),
        }  # fmt: skip
        if status.url is not None:
            sent["target_url"] = status.url
        path = f"{self._repo.url}/statuses/{checked_commit(commit)}"
        send = self._repo.requester.requestJsonAndCheck
        self._ask(f"the status of {commit}", lambda: send("POST", path, input=sent))

    def status_of(self, commit: str) -> Status | None:
        """Return the commit status `plumbline/verdict`, or None if it was never set."""
        from github.CommitStatus import CommitStatus  # beside the import that says why
        from github.PaginatedList import PaginatedList

        path = f"{self._repo.url}/commits/{checked_commit(commit)}/statuses"

        def read() -> Status | None:
            # The latest comes first.
            for one in PaginatedList(CommitStatus, self._repo.requester, path, None):
                if one.context == CONTEXT and one.state in set(StatusState):
                    return Status(
                        state=StatusState(one.state), description=one.description or "",
                        url=one.target_url or None,
                    )  # fmt: skip
            return None

        return self._ask(f"the status of {commit}", read)

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add labels to a pull request, and remove those of `remove` that it has."""
        added, removed = (tuple(map(checked_label, labels)) for labels in (add, remove))
        issue = self._repo.get_issue(number)
        what = f"the labels of pull request {number}"
        if added:
            self._ask(what, lambda: issue.add_to_labels(*added))
        for one in removed:
            if one in self.pull(number).labels:
                self._ask(what, lambda one=one: issue.remove_from_labels(one))  # type: ignore[misc]

    def close(self, number: int) -> None:
        """Close a pull request without merging it, unless it has ended already."""
        if self.pull(number).state is PullState.open:
            what = f"pull request {number}"
            self._ask(what, lambda: self._repo.get_pull(number).edit(state="closed"))

    def merge(self, number: int, *, head: str) -> str:
        """Merge a pull request if its head is this very commit; return the commit on the base."""
        checked_commit(head)

        def merged() -> str:
            pull = self._facts(self._repo.get_pull(number))
            if pull.head != head:
                raise MovedError(
                    f"Pull request {number} is at {pull.head[:12]}, not at {head[:12]}: somebody "
                    "pushed to it. Nothing was merged."
                )
            if pull.state is PullState.closed:
                raise RefusedError(f"Pull request {number} is closed, so nothing was merged.")
            if pull.merged_as is not None:
                return pull.merged_as
            # GitHub compares the head once more, so a push in between does no harm.
            return self._repo.get_pull(number).merge(merge_method="merge", sha=head).sha

        return self._ask(f"the merge of pull request {number}", merged)

    @cached_property
    def _retry(self) -> BoundedRetry:
        from self_improve.forge.github_retry import BoundedRetry  # loads PyGithub

        return self._chosen_retry or BoundedRetry()

    @cached_property
    def _github(self) -> Github:
        # Imported here because it takes a third of a second.
        from github import Auth, Github

        return Github(
            auth=Auth.Token(self._access.token), base_url=self._access.api,
            timeout=self._timeout, retry=self._retry, per_page=100, lazy=True,
            api_version=_VERSION, user_agent="plumbline",
            seconds_between_requests=None, seconds_between_writes=self._between,
        )  # fmt: skip

    @cached_property
    def _repo(self) -> Repository:
        return self._github.get_repo(self._access.repository)

    @cached_property
    def _login(self) -> str | None:
        """The user of the token; None if it belongs to an app, which has no user."""
        from github import GithubException

        try:
            return self._github.get_user().login
        except GithubException as error:
            if error.status in (403, 404):
                return None
            raise

    def _own_comments(self, number: int) -> Iterator[tuple[str, IssueComment]]:
        """Yield our comments and their markers, the oldest first.

        A marker in a comment of somebody else is a copy, so that comment is not ours.
        """
        for comment in self._repo.get_issue(number).get_comments():
            match = _MARKER.match((comment.body or "").replace("\r\n", "\n"))
            if match is None:
                continue
            by_app = self._login is None and comment.user.type == "Bot"
            if by_app or comment.user.login == self._login:
                yield match.group(1), comment

    def _pull_of(self, branch: str) -> PullRequest | None:
        owner = self._access.owner
        latest: PullRequest | None = None
        for one in self._repo.get_pulls(
            state="all", head=f"{owner}:{branch}", sort="created", direction="desc"
        ):
            pull = self._facts(one)
            # A server that ignores the filter returns others, too.
            if pull.branch == branch and not pull.is_fork:
                if pull.state is PullState.open:
                    return pull
                latest = latest or pull
        return latest

    def _facts(self, pull: GithubPull) -> PullRequest:
        is_merged = pull.merged_at is not None
        source = pull.head.repo  # None if the copy it came from was deleted.
        return PullRequest(
            number=pull.number, url=pull.html_url, title=pull.title, body=pull.body or "",
            state=PullState.merged if is_merged else PullState(pull.state),
            branch=pull.head.ref, head=pull.head.sha, base=pull.base.ref,
            is_fork=source is None or source.full_name != pull.base.repo.full_name,
            labels=tuple(label.name for label in pull.labels),
            merged_as=pull.merge_commit_sha if is_merged else None,
        )  # fmt: skip

    def _ask(self, what: str, request: Callable[[], T]) -> T:
        """Ask, one request at a time; what may or may not have been done is looked for again."""

        def asked() -> T:
            try:
                return request()
            except Exception as error:
                meaning = classify(error, f"{self.name}: {what}", self._access.clean)
                if meaning is None:
                    raise
                raise meaning from error

        with self._lock:
            return self._retry.repeat(asked)
