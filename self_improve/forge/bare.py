"""The bare repository of the local forge; branches are merged in it without a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from self_improve.code import git
from self_improve.code.checkout import author_variables
from self_improve.code.git import GitError
from self_improve.forge.forge import RefusedError

_MADE = "plumbline-made"


@dataclass(frozen=True)
class Bare:
    """The bare repository at `path`. Every call raises a GitError where git refuses."""

    path: Path

    def make(self) -> None:
        """Create it, or complete what a killed command left."""
        if not self.is_complete:
            git.run(
                self.path.parent, "init", "--quiet", "--bare", "--initial-branch=main",
                str(self.path),
            )  # fmt: skip
            (self.path / _MADE).touch()

    @property
    def is_complete(self) -> bool:
        """Whether it exists and its creation was not interrupted."""
        return (self.path / _MADE).is_file()

    def refs(self) -> dict[str, str]:
        """Return the commits of branches and of heads of pull requests, by ref."""
        rows = self._git(
            "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/pull"
        )
        pairs = (row.partition(" ") for row in rows.splitlines())
        return {ref: commit for ref, _, commit in pairs}

    def commit(self, revision: str) -> str | None:
        """Return the commit that a ref or an object name names, or None."""
        try:
            return self._git(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
            )
        except (GitError, ValueError):
            return None

    def set(self, ref: str, commit: str) -> None:
        """Set a ref."""
        self._git("update-ref", ref, commit)

    def adds(self, base: str, head: str) -> bool:
        """Whether `head` holds commits that `base` does not."""
        return self._git("rev-list", "--count", f"{base}..{head}") != "0"

    def merge(self, base: str, head: str, message: str) -> str:
        """Merge the commit `head` into the branch `base`, and return the merge commit.

        A merge that a killed command has made is returned, not repeated.

        Raises:
            RefusedError: both changed the same lines, or the branch moved meanwhile.
        """
        ref = f"refs/heads/{base}"
        tip = self._git("rev-parse", "--verify", f"{ref}^{{commit}}")
        if not self.adds(tip, head):
            later = self._git("rev-list", "--first-parent", "--ancestry-path", f"{head}..{tip}")
            return later.split("\n")[-1] or tip
        tree = f"{head}^{{tree}}"
        if self.adds(head, tip):
            try:
                tree = self._git("merge-tree", "--write-tree", tip, head).split("\n")[0]
            except GitError as error:
                raise RefusedError(
                    f"The pull request changes lines that {base} changed too; merge {base} into "
                    "its branch first."
                ) from error
        commit = self._git("commit-tree", tree, "-p", tip, "-p", head, "-m", message)
        self._git("update-ref", ref, commit, tip)
        return commit

    def _git(self, *words: str) -> str:
        environment = {"GIT_DIR": str(self.path), **author_variables("Plumbline")}
        return git.run(self.path, *words, environment=environment)
