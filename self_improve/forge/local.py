"""The local forge: a bare repository, and a folder of pull requests in Markdown beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from prompt_lab.claim import directory_lock
from prompt_lab.markup import page, plain_line
from self_improve.code import git
from self_improve.code.git import GitError
from self_improve.forge.bare import Bare
from self_improve.forge.forge import (
    LONGEST_BODY,
    LONGEST_DESCRIPTION,
    LONGEST_TITLE,
    ForgeError,
    MissingError,
    MovedError,
    PullRequest,
    PullState,
    RefusedError,
    Status,
    checked_commit,
    checked_label,
    checked_marker,
)
from self_improve.forge.pages import Front, Pages
from self_improve.forge.remote import Remote


class LocalForge:
    """A forge in a directory: `repository.git`, `pulls/` and `statuses/`.

    Addresses of pull requests are relative to the parent of `folder`, so that they are valid on
    every machine. Two processes may use it at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._bare = Bare(self._folder / "repository.git")
        self._pages = Pages(self._folder)
        self._remote = Remote(address=str(self._bare.path), called=self.name)

    @property
    def name(self) -> str:
        """The name of the forge in messages."""
        return f"the local forge in {self._folder.name}"

    def base_commit(self, repository: Path, base: str) -> str:
        """Bring the base branch's commit into a local repository, and return it.

        The branch is first moved forward to the local one, if that loses nothing.

        Raises:
            MissingError: neither the forge nor the repository has the branch.
            ForgeError: git refuses.
        """
        self._begin()
        with self._alone():
            try:
                ref = f"refs/heads/{base}^{{commit}}"
                tip = git.run(repository, "rev-parse", "--verify", "--quiet", ref)
                self._remote.push(repository, base, tip)
            except MovedError:
                pass  # What was merged here is not in the local branch yet.
            except (GitError, ValueError) as error:
                if self._bare.commit(f"refs/heads/{base}") is None:
                    raise MissingError(
                        f"Neither {self.name} nor the code's repository has a branch {base}."
                    ) from error
            return self._remote.fetch(repository, f"refs/heads/{base}", f"bases/{base}")

    def push(self, repository: Path, branch: str, commit: str) -> None:
        """Set a branch to a commit of a local repository, if nothing there would be lost.

        Raises:
            MovedError: the branch holds commits that would be lost.
            ForgeError: git refuses.
        """
        self._begin()
        with self._alone():
            self._remote.push(repository, branch, commit)

    def fetch(self, repository: Path, pull: PullRequest) -> str:
        """Bring the head of a pull request into a local repository, and return its commit."""
        with self._alone():
            return self._remote.fetch(repository, _head_ref(pull.number), f"pulls/{pull.number}")

    def open_pull(
        self, *, branch: str, base: str, title: str, body: str, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Open a pull request for a pushed branch, or return the one that is open for it.

        Raises:
            RefusedError: a branch is missing, or `branch` adds nothing to `base`.
        """
        added = tuple(map(checked_label, labels))
        self._begin()
        with self._alone():
            pull = self._of_branch(branch)
            if pull is None or pull.state is not PullState.open:
                number = max(self._pages.numbers(), default=0) + 1
                front = Front(
                    number=number, title=plain_line(title, most=LONGEST_TITLE),
                    state=PullState.open, branch=branch, base=base,
                    head=self._addition(branch, base),
                )  # fmt: skip
                self._pages.write_pull(front, page(body, most=LONGEST_BODY))
                pull = self._pull(number)
            return self._write(replace(pull, labels=_united(pull.labels, added)))

    def pull(self, number: int) -> PullRequest:
        """Return a pull request.

        Raises:
            MissingError: none has this number.
            ForgeError: its file is invalid.
        """
        with self._alone():
            return self._pull(number)

    def pull_of(self, branch: str) -> PullRequest | None:
        """Return the open pull request of a branch, or else its latest, or None."""
        with self._alone():
            return self._of_branch(branch)

    def write_body(self, number: int, body: str) -> None:
        """Set the text of a pull request."""
        with self._alone():
            self._write(replace(self._pull(number), body=page(body, most=LONGEST_BODY)))

    def comment(self, number: int, marker: str, body: str) -> None:
        """Write our one comment with this marker: a new one, or the old one updated in place."""
        with self._alone():
            self._pull(number)
            self._pages.write_comment(number, checked_marker(marker), page(body, most=LONGEST_BODY))

    def comments(self, number: int) -> dict[str, str]:
        """Return the texts of our comments by their markers."""
        with self._alone():
            self._pull(number)
            return self._pages.comments(number)

    def set_status(self, commit: str, status: Status) -> None:
        """Set the commit status `plumbline/verdict`; the description is cut to fit."""
        with self._alone():
            if self._bare.commit(checked_commit(commit)) is None:
                raise MissingError(f"{self.name} has no commit {commit}.")
            cut = plain_line(status.description, most=LONGEST_DESCRIPTION)
            self._pages.write_status(commit, replace(status, description=cut))

    def status_of(self, commit: str) -> Status | None:
        """Return the commit status `plumbline/verdict`, or None if it was never set."""
        with self._alone():
            return self._pages.status(checked_commit(commit))

    def label(self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add labels to a pull request, and remove those of `remove` that it has."""
        added = tuple(map(checked_label, add))
        with self._alone():
            pull = self._pull(number)
            labels = tuple(one for one in _united(pull.labels, added) if one not in remove)
            self._write(replace(pull, labels=labels))

    def close(self, number: int) -> None:
        """Close a pull request without merging it, unless it has ended already."""
        with self._alone():
            pull = self._pull(number)
            if pull.state is PullState.open:
                self._write(replace(pull, state=PullState.closed))

    def merge(self, number: int, *, head: str) -> str:
        """Merge a pull request if its head is exactly this commit; return the commit on the base.

        Raises:
            MovedError: its head is another commit.
            RefusedError: it is closed, or git cannot merge it.
        """
        with self._alone():
            pull = self._pull(number)
            if pull.head != checked_commit(head):
                raise MovedError(
                    f"Pull request {number} is at {pull.head[:12]}, not at {head[:12]}: somebody "
                    "pushed to it. Nothing was merged."
                )
            if pull.state is PullState.closed:
                raise RefusedError(f"Pull request {number} is closed, so nothing was merged.")
            message = f"Merge pull request {number} from {pull.branch}\n\n{pull.title}"
            merged = pull.merged_as or self._bare.merge(pull.base, head, message)
            self._write(replace(pull, state=PullState.merged, merged_as=merged))
            return merged

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with directory_lock(self._folder):
            self._bare.make()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the forge's lock.

        Raises:
            ForgeError: there is no forge yet, or a git command inside failed.
        """
        if not self._bare.is_complete:
            raise MissingError(f"{self.name} is empty: no branch was pushed to it yet.")
        with directory_lock(self._folder):
            try:
                yield
            except GitError as error:
                raise ForgeError(f"{self.name}: {error}") from error

    def _addition(self, branch: str, base: str) -> str:
        """Return the tip of a branch that adds something to another."""
        tips = [self._bare.commit(f"refs/heads/{name}") for name in (branch, base)]
        for name, tip in zip((branch, base), tips, strict=True):
            if tip is None:
                raise RefusedError(f"{self.name} has no branch {name}: push it first.")
        head, onto = map(str, tips)
        if not self._bare.adds(onto, head):
            raise RefusedError(f"{branch} has no commits that {base} does not have.")
        return head

    def _of_branch(self, branch: str) -> PullRequest | None:
        refs = self._bare.refs()
        pulls = [self._pull(number, refs) for number in reversed(self._pages.numbers())]
        of_branch = [pull for pull in pulls if pull.branch == branch and not pull.is_fork]
        is_open = [pull for pull in of_branch if pull.state is PullState.open]
        return next(iter((*is_open, *of_branch)), None)

    def _pull(self, number: int, refs: Mapping[str, str] | None = None) -> PullRequest:
        """Return a pull request: the facts of its file, and the present tip of its branch."""
        front, body = self._pages.pull(number)
        refs = self._bare.refs() if refs is None else refs
        state, ref = front.state, _head_ref(number)
        head = refs.get(ref, front.head)
        if state is PullState.open and not front.fork:
            tip = refs.get(f"refs/heads/{front.branch}")
            if tip is None:
                state = PullState.closed  # its branch was deleted
            elif tip != refs.get(ref):
                self._bare.set(ref, tip)
            head = tip or head
        return PullRequest(
            number=number, url=self._pages.path(number).relative_to(self._folder.parent).as_posix(),
            title=front.title, body=body, state=state, branch=front.branch, head=head,
            base=front.base, is_fork=front.fork, labels=front.labels, merged_as=front.merged_as,
        )  # fmt: skip

    def _write(self, pull: PullRequest) -> PullRequest:
        front = Front(
            number=pull.number, title=pull.title, state=pull.state, branch=pull.branch,
            base=pull.base, head=pull.head, fork=pull.is_fork, labels=pull.labels,
            merged_as=pull.merged_as,
        )  # fmt: skip
        self._pages.write_pull(front, pull.body)
        return pull


def _head_ref(number: int) -> str:
    return f"refs/pull/{number}/head"


def _united(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
