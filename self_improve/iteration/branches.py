"""A branch, a commit and a pull request for every candidate, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway.keys import Redactor
from prompt_lab import leaks, markup
from prompt_lab.layout import Layout
from self_improve.code import git, patch
from self_improve.code.worktree import PREFIX, Worktree, leaf_of
from self_improve.code.worktrees import Worktrees
from self_improve.errors import UsageError
from self_improve.forge.forge import (
    Forge,
    MovedError,
    PullRequest,
    PullState,
    Status,
    StatusState,
)
from self_improve.iteration.drafts import Draft

BASELINE = "baseline"
LABEL, CODE = "plumbline", "code"
_LONGEST_DIFF = 20_000


@dataclass(frozen=True, kw_only=True)
class Side:
    """A side of an iteration: the commit that is measured, and its pull request.

    `is_code` says that people or an agent wrote the commit; only people merge it. `diff` is the
    change against the base, empty for the baseline.
    """

    name: str
    branch: str
    commit: str
    is_code: bool = False
    pull_request: int | None = None
    url: str = ""
    diff: str = ""

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


class Branches:
    """Creates worktrees, commits and pull requests; every call may be repeated after a kill.

    `code` is the code tree in the user's checkout, of which only commits are read. `redactor` knows
    the keys that no commit may hold.
    """

    def __init__(
        self, layout: Layout, code: Path, forge: Forge, *, redactor: Redactor | None = None
    ) -> None:
        self._redactor = redactor or Redactor()
        self._worktrees = Worktrees(code, layout.worktrees, redactor=self._redactor)
        self._code = code
        self._forge = forge

    def base(self, branch: str) -> str:
        """Return the commit that candidates start from: the tip of the forge's base branch."""
        self._worktrees.sweep()
        return self._forge.base_commit(self._code, branch)

    def tree(self, side: Side, base: str) -> Worktree:
        """Return the worktree of a side at its commit.

        Raises:
            UsageError: the worktree was changed.
        """
        if side.is_code:
            return self._worktrees.open(side.commit, side.commit)
        name = f"{BASELINE}-{base[:12]}" if side.name == BASELINE else side.name
        tree = self._worktrees.open(name, base)
        if tree.commit != side.commit:
            raise UsageError(
                f"{side.branch} is at {tree.commit[:12]}, not at {side.commit[:12]} that "
                "was measured. Begin a new iteration with --new."
            )
        return tree

    def baseline(self, base: str) -> Side:
        """Return the side of the unchanged code."""
        tree = self._worktrees.open(f"{BASELINE}-{base[:12]}", base)
        return Side(name=BASELINE, branch=tree.branch, commit=tree.commit)

    def of_texts(self, draft: Draft, base: str, branch: str, texts: Mapping[str, str]) -> Side:
        """Commit texts on a branch of the draft's own, push it, and open its pull request.

        Raises:
            UsageError: a text cannot be put into the source, or the draft changes nothing.
            ForgeError: the forge does not take it.
        """
        tree = self._worktrees.open(draft.id, base)
        changes = patch.patched(tree.code, texts)
        if changes:
            paths = self._worktrees.write(tree, {n: c.after for n, c in changes.items()})
            message = f"{draft.title}\n\n{draft.rationale}".strip()
            tree = self._worktrees.commit(tree, paths, message=message)
        elif tree.commit == base:
            raise UsageError(f"{draft.id} is the baseline: its texts equal those of {base[:12]}.")
        side = Side(
            name=draft.id, branch=tree.branch, commit=tree.commit,
            diff=self._diff(tree.commit, base),
        )  # fmt: skip
        return self._open_pull(draft, side, branch, [LABEL])

    def of_files(self, draft: Draft, base: str, files: Mapping[str, str], *, message: str) -> Side:
        """Commit whole files on a branch of the draft's own; nothing is pushed yet.

        Raises:
            UsageError: its worktree has other changes, or none.
        """
        tree = self._worktrees.open(draft.id, base)
        paths = self._worktrees.write(tree, {n: t.encode() for n, t in files.items()})
        tree = self._worktrees.commit(tree, paths, message=message)
        return Side(
            name=draft.id, branch=tree.branch, commit=tree.commit, is_code=True,
            diff=self._diff(tree.commit, base),
        )  # fmt: skip

    def of_commit(self, draft: Draft, base: str, branch: str) -> Side:
        """Push the commit that `of_files` created for a draft, and open its pull request.

        Raises:
            ForgeError: the forge does not take it.
        """
        if draft.branch is None or draft.commit is None:
            raise UsageError(f"{draft.id} has no commit.")
        side = Side(
            name=draft.id, branch=draft.branch, commit=draft.commit, is_code=True,
            diff=self._diff(draft.commit, base),
        )  # fmt: skip
        return self._open_pull(draft, side, branch, [LABEL, CODE])

    @contextmanager
    def as_before(self, side: Side, base: str, files: Sequence[str]) -> Iterator[Path]:
        """Yield the code tree of a side in which some files are those of the base.

        A worktree that a killed process leaves in this state is recreated.
        """
        tree = self.tree(side, base)
        below = tree.code.relative_to(tree.path)
        paths = [(below / name).as_posix() for name in files]
        self._worktrees.take(tree, base, paths)
        try:
            yield tree.code
        finally:
            self._worktrees.take(tree, side.commit, paths)

    def settings_digest(self) -> str:
        """Return the digest of the settings and hooks of the code's repository."""
        return self._worktrees.settings_digest()

    def of_pull(self, draft: Draft, base: str) -> Side:
        """Return the side of an existing pull request.

        Raises:
            UsageError: it is closed, merged or from a fork, or changes nothing.
            LeakError: its commits hold a key.
            ForgeError: the forge does not have it.
        """
        pull = self._open(draft.pull_request)
        commit = self._forge.fetch(self._code, pull)
        self.require_change(draft.id, commit, base)
        return Side(
            name=draft.id, branch=pull.branch, commit=commit, is_code=True,
            pull_request=pull.number, url=pull.url, diff=self._diff(commit, base),
        )  # fmt: skip

    def of_branch(self, draft: Draft, base: str, branch: str) -> Side:
        """Push the commit of a branch of the user, and open its pull request.

        It is pushed under the branch's own name. Where the forge's branch of that name has other
        commits, or the name is not one of a branch, it gets a name of the commit's own.

        Raises:
            UsageError: it changes nothing.
            LeakError: its commits hold a key.
            ForgeError: the forge does not take it.
        """
        name, commit = str(draft.branch), str(draft.commit)
        self.require_change(draft.id, commit, base)
        side = Side(
            name=draft.id, branch=name, commit=commit, is_code=True, diff=self._diff(commit, base)
        )
        renamed = replace(side, branch=f"{PREFIX}/{leaf_of(f'{name}-{commit[:12]}')}")
        if not self._worktrees.has_branch(name) or name == branch:
            side = renamed
        try:
            return self._open_pull(draft, side, branch, [LABEL, CODE])
        except MovedError:
            return self._open_pull(draft, renamed, branch, [LABEL, CODE])

    def require_change(self, name: str, commit: str, base: str) -> None:
        """Check that a commit adds something to the base, and no key.

        Raises:
            UsageError: it adds nothing.
            LeakError: what it adds holds a key.
        """
        commits = f"{base}..{commit}"
        if not git.run(self._code, "rev-list", "--max-count=1", commits):
            raise UsageError(
                f"{name} changes nothing: {commit[:12]} adds no commit to {base[:12]}."
            )
        texts = {
            "the change": self._diff(commit, base),
            "its commits' messages": git.run(self._code, "log", "--format=%B", commits),
        }
        leaks.require_no_keys(self._redactor, texts, f"{name} is not measured")

    def pending(self, side: Side) -> None:
        """Set the commit's status to pending."""
        self._forge.set_status(
            side.commit, Status(state=StatusState.pending, description="is being measured")
        )

    def require_unmoved(self, side: Side) -> PullRequest | None:
        """Return the pull request of a side if its branch still is what was measured.

        Raises:
            UsageError: it is closed or merged, or its branch has moved.
        """
        if side.pull_request is None:
            return None
        pull = self._forge.pull(side.pull_request)
        if pull.state is not PullState.open:
            raise UsageError(f"{pull.url} is {pull.state}; nothing more is written to it.")
        if pull.head != side.commit:
            raise UsageError(
                f"The branch of {pull.url} moved to {pull.head[:12]} while {side.commit[:12]} was "
                "measured. The result holds for that commit only; run the command with --new."
            )
        return pull

    def commit_of(self, revision: str) -> str:
        """Return the commit that a branch points at now.

        Raises:
            UsageError: there is no such branch.
        """
        return self._worktrees.commit_of(revision)

    def _open_pull(self, draft: Draft, side: Side, branch: str, labels: Sequence[str]) -> Side:
        """Push a side's commit and open its pull request, or find the one that is open."""
        leaks.require_no_keys(self._redactor, {"the change": side.diff}, "Nothing was pushed")
        self._forge.push(self._code, side.branch, side.commit)
        pull = self._forge.open_pull(
            branch=side.branch, base=branch, title=markup.plain_line(draft.title, most=200),
            body=body(draft, side.diff), labels=labels,
        )  # fmt: skip
        return replace(side, pull_request=pull.number, url=pull.url)

    def _open(self, number: int | None) -> PullRequest:
        """Return a pull request that is open and of this repository."""
        pull = self._forge.pull(number or 0)
        if pull.state is not PullState.open:
            raise UsageError(f"{pull.url} is {pull.state}; only an open pull request is judged.")
        if pull.is_fork:
            raise UsageError(
                f"{pull.url} comes from a fork, whose code is not run here. Review it, push its "
                "branch to this repository, and name that branch with --branch."
            )
        return pull

    def _diff(self, commit: str, base: str) -> str:
        return git.run(self._code, "diff", "--no-color", "--no-ext-diff", base, commit)


def body(draft: Draft, diff: str) -> str:
    """Return the text of a pull request: the rationale, what is expected, and the diff."""
    expected = "\n".join(f"- {markup.code(text)}" for text in draft.expectations)
    return markup.page(
        "Made by Plumbline. Nothing is merged before the verdict in the comment below.",
        "## Why",
        markup.quoted(draft.rationale or draft.change or "No reason was given.", most=2000),
        "## Expected effects" if expected else "",
        expected,
        f"Origin: {draft.origin}" + (f", from {markup.code(draft.parent)}" if draft.parent else ""),
        markup.folded("The change", markup.fenced(diff, "diff", most=_LONGEST_DIFF)),
    )
