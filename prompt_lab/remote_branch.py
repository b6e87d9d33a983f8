"""The branch of the data repo at its remote: pushed, and caught up with where it has moved."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from prompt_lab.git import Git, GitError

_PUSHES = 40
_PAUSE_SECONDS = 0.3
_FIELDS = ("AUTHOR_NAME", "AUTHOR_EMAIL", "AUTHOR_DATE")


@dataclass(frozen=True)
class RemoteBranch:
    """The remote's branch of the same name as the one that is checked out.

    `lock` is the handle of the lock that is held while the checkout is changed.
    """

    git: Git
    lock: int

    def push(self) -> None:
        """Push what the remote lacks; where it has moved, put our commits after its own.

        Most of the time that is done once. Only a remote that moves all the time ends it.

        Raises:
            GitError: git refuses, or both changed the same lines.
        """
        remotes = self.git("remote").split()
        if not remotes:
            return
        remote = "origin" if "origin" in remotes else remotes[0]
        branch = self.git("symbolic-ref", "--short", "HEAD")
        for tries_left in range(_PUSHES - 1, -1, -1):
            try:
                self.git("push", "--quiet", remote, f"HEAD:refs/heads/{branch}")
            except GitError:
                if not tries_left:
                    raise
            else:
                return
            self._catch_up(remote, branch)
            # Others may push all the time; an uneven pause lets everybody through.
            time.sleep(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311 - not for secrets

    def _catch_up(self, remote: str, branch: str) -> None:
        """Put our commits after those of the remote.

        Not `git rebase`, which takes the files away under the processes that write to them and,
        if killed, leaves the branch half-way. Here only the files change that the remote changed.
        """
        self.git("fetch", "--quiet", remote, branch)
        theirs = self.git("rev-parse", "FETCH_HEAD")
        ours = self.git("rev-parse", "HEAD")
        commit = theirs
        listed = self.git(
            "rev-list", "--reverse", "--topo-order", "--no-merges", f"{theirs}..{ours}"
        )
        for picked in listed.split():
            commit = self._picked(picked, onto=commit)
        if commit == ours:
            return
        self.git("read-tree", "-m", "-u", ours, commit, keep=[self.lock])
        self.git(
            "update-ref", "-m", "catch up", f"refs/heads/{branch}", commit, ours, keep=[self.lock]
        )

    def _picked(self, commit: str, *, onto: str) -> str:
        """Return a commit with the same change and message after another one."""
        parent = self.git("rev-parse", f"{commit}^")
        # A commit that makes `parent` the common ancestor, so that merging is picking.
        beside = self.git("commit-tree", f"{onto}^{{tree}}", "-p", parent, "-m", "beside")
        tree = self.git("merge-tree", "--write-tree", beside, commit).split("\n")[0]
        facts = self.git("log", "-1", "--format=%an%x00%ae%x00%aI%x00%B", commit).split("\0")
        author = {f"GIT_{name}": fact for name, fact in zip(_FIELDS, facts, strict=False)}
        return self.git("commit-tree", tree, "-p", onto, "-m", facts[3].strip(), author=author)
