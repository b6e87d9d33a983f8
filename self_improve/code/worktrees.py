"""A git worktree and a branch per candidate; the user's checkout is never touched."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from model_gateway.keys import Redactor
from prompt_lab import leaks
from prompt_lab.claim import directory_lock
from self_improve.code import git, unfinished
from self_improve.code.checkout import Checkout, author_variables
from self_improve.code.git import GitError
from self_improve.code.worktree import PREFIX, Worktree, inside, leaf_of
from self_improve.errors import UsageError

TRAILER = "Plumbline-Candidate"
_TRIES = 4
_ADDRESS = re.compile(r"branch\.|remote\.[^\n]*\.(url|fetch)\n")
_UNWANTED = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")


class Worktrees:
    """The worktrees of a repository's candidates, in the directory `folder`.

    `code` is the code tree inside the user's checkout: only the commits of its repository are
    read, and only branches called `plumbline/…` are written there. `redactor` knows the keys that
    must not be in a commit.
    """

    def __init__(self, code: Path, folder: Path, *, redactor: Redactor | None = None) -> None:
        self._user = code.resolve()
        self._folder = folder.resolve()
        self._redactor = redactor or Redactor()

    def commit_of(self, revision: str) -> str:
        """Return the commit that a branch, tag or other revision names now.

        Raises:
            UsageError: it names none, or the code tree is in no git repository.
        """
        try:
            return self._git(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
            )
        except (GitError, ValueError) as error:
            raise UsageError(f"{revision!r} is not a commit of {self._user}.") from error

    def sweep(self) -> None:
        """Remove what a killed git has left of our worktrees; with it no fetch works."""
        with directory_lock(self._common):
            unfinished.sweep(self._common, self._folder)

    def has_branch(self, name: str) -> bool:
        """Whether the repository has a branch of this name."""
        try:
            self._git("show-ref", "--verify", "--quiet", f"refs/heads/{name}")
        except (GitError, ValueError):
            return False
        return True

    def open(self, candidate: str, base: str) -> Worktree:
        """Return the candidate's worktree: the existing one, or a new one at `base`.

        A half-made one of a killed command is recreated. Uncommitted changes in it are moved to
        `refs/plumbline/left`.

        Raises:
            UsageError: there is no such base, the candidate was begun from another one, or its
                branch holds other commits.
            GitError: git refuses.
        """
        leaf, base = leaf_of(candidate), self.commit_of(base)
        leaks.require_no_keys(self._redactor, {"the candidate's name": leaf}, "No branch was made")
        self._folder.mkdir(parents=True, exist_ok=True)
        checkout = self._checkout(leaf)
        with directory_lock(self._common) as lock:
            self._unlock_branch(leaf)
            tip = self._tip(leaf, base)
            for remaining in reversed(range(_TRIES)):
                if checkout.is_ready():
                    break
                checkout.discard()
                try:
                    # Forced, because another data repo may have the same branch checked out.
                    self._git(
                        "worktree", "add", "--force", "--quiet", str(checkout.path),
                        checkout.branch, keep=lock,
                    )  # fmt: skip
                except GitError:
                    # Another git may hold a lock for a moment.
                    if not remaining:
                        raise
                    time.sleep(0.1)
        code = checkout.path / self._prefix
        if not code.is_dir():
            raise UsageError(f"There is no {self._prefix} in the commit {base}.")
        return Worktree(leaf=leaf, path=checkout.path, code=code, base=base, commit=tip)

    def write(self, tree: Worktree, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Write files, whose paths are relative to the code tree; return them relative to the top.

        Raises:
            UsageError: a path leads out of the worktree, or through a link.
        """
        paths = {name: inside(tree, tree.code, name) for name in files}
        for name, content in files.items():
            paths[name].parent.mkdir(parents=True, exist_ok=True)
            paths[name].write_bytes(content)
        return tuple(path.relative_to(tree.path).as_posix() for path in paths.values())

    def take(self, tree: Worktree, commit: str, paths: Iterable[str]) -> None:
        """Write files (relative to the top) as they are in another commit."""
        names = [inside(tree, tree.path, path).relative_to(tree.path) for path in paths]
        if names:
            self._checkout(tree.leaf).git(
                "restore", "--worktree", f"--source={commit}", "--", *map(str, names)
            )

    def changed(self, tree: Worktree) -> tuple[str, ...]:
        """Return the files that differ from the worktree's commit, new ones included."""
        return self._checkout(tree.leaf).changed()

    def settings_digest(self) -> str:
        """Return the digest of what makes git run programs: the repository's hooks and settings.

        The addresses of branches and remotes do not count, because people push meanwhile.
        """
        total = hashlib.sha256()
        for folder in (self._common / "hooks", self._common / "info"):
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    total.update(f"{path}\0{path.stat().st_mode}\0".encode())
                    total.update(hashlib.sha256(path.read_bytes()).digest())
        listed = self._git("config", "--file", str(self._common / "config"), "--list", "-z")
        settings = (row for row in listed.split("\0") if not _ADDRESS.match(row))
        total.update("\0".join(settings).encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    def commit(self, tree: Worktree, paths: Iterable[str], *, message: str) -> Worktree:
        """Commit those files (relative to the top), and return the worktree at its new commit.

        If an earlier call committed them, the worktree is returned as it is.

        Raises:
            LeakError: a file or the message holds a key; git has not seen the files.
            UsageError: other files were changed too, or nothing was, or another commit was made.
            GitError: git refuses.
        """
        names = {inside(tree, tree.path, path).relative_to(tree.path).as_posix() for path in paths}
        checkout = self._checkout(tree.leaf)
        with directory_lock(tree.path) as lock:
            if checkout.head() != (tree.branch, tree.commit):
                raise UsageError(
                    f"Another commit was made in {tree.path}, or its branch was changed. What is "
                    "there is not this candidate."
                )
            changed = set(checkout.changed())
            if others := sorted(changed - names):
                raise UsageError(
                    f"Other files than the candidate's were changed in {tree.path}, so nothing "
                    f"was committed: {', '.join(others)}"
                )
            if not changed and tree.commit == tree.base:
                raise UsageError(f"Nothing was changed in {tree.path}, so there is no candidate.")
            if not changed:
                return tree
            self._require_no_keys(checkout, sorted(changed), message)
            trailed = f"{_UNWANTED.sub('', message).strip()}\n\n{TRAILER}: {tree.leaf}"
            checkout.git("add", "--", *sorted(changed), keep=lock)
            checkout.git(
                "commit", "--quiet", "--message", trailed, keep=lock,
                environment=author_variables(f"Plumbline candidate {tree.leaf}"),
            )  # fmt: skip
            return replace(tree, commit=checkout.head()[1])

    def remove(self, tree: Worktree, *, pushed: str | None = None) -> bool:
        """Remove a worktree; return whether its branch was deleted too.

        The branch is deleted only if nothing was committed on it, or if its tip is `pushed`, the
        commit that a forge has. Uncommitted changes are stored under `refs/plumbline/left`.

        Raises:
            GitError: git refuses.
        """
        with directory_lock(self._common) as lock:
            self._unlock_branch(tree.leaf)
            self._checkout(tree.leaf).discard()
            tip = self._branch_tip(tree.leaf)
            if tip is None or tip not in (pushed, tree.base):
                return tip is None
            ref = f"refs/heads/{tree.branch}"
            self._git("update-ref", "-d", ref, tip, keep=lock)
            return True

    @cached_property
    def _facts(self) -> tuple[Path, Path]:
        """The repository's directory, and where the code tree is in a checkout."""
        try:
            output = git.run(
                self._user, "rev-parse", "--path-format=absolute", "--git-common-dir",
                "--show-toplevel",
            )  # fmt: skip
        except GitError as error:
            raise UsageError(
                f"{self._user} is in no git repository, so candidates cannot have branches: {error}"
            ) from error
        common, top = output.split("\n")
        return Path(common).resolve(), self._user.relative_to(Path(top).resolve())

    @property
    def _common(self) -> Path:
        return self._facts[0]

    @property
    def _prefix(self) -> Path:
        return self._facts[1]

    def _git(self, *words: str, keep: int | None = None) -> str:
        """Run git on the repository, independent of its checkout."""
        return git.run(
            self._common, *words, environment={"GIT_DIR": str(self._common)},
            keep=() if keep is None else (keep,),
        )  # fmt: skip

    def _checkout(self, leaf: str) -> Checkout:
        return Checkout(
            common=self._common, path=self._folder / leaf, branch=f"{PREFIX}/{leaf}",
            redactor=self._redactor,
        )  # fmt: skip

    def _require_no_keys(self, checkout: Checkout, names: Sequence[str], message: str) -> None:
        texts = checkout.contents(names) | {"the commit's message": message}
        leaks.require_no_keys(self._redactor, texts, "Nothing was committed")

    def _branch_tip(self, leaf: str) -> str | None:
        ref = f"refs/heads/{PREFIX}/{leaf}"
        return self._git("for-each-ref", "--format=%(objectname)", ref) or None

    def _tip(self, leaf: str, base: str) -> str:
        """Return the tip of the candidate's branch, which is created at `base` or moved there."""
        branch = f"{PREFIX}/{leaf}"
        tip = self._branch_tip(leaf)
        if tip == base:
            return base
        if tip is None or self._is_ancestor(tip, base):
            # A branch without commits of its own may move to a newer base.
            if tip is not None:
                self._checkout(leaf).discard()
            self._git("update-ref", f"refs/heads/{branch}", base, tip or "0" * len(base))
            return base
        began = self._began(tip, leaf)
        if began == base:
            return tip
        if began == tip:
            raise UsageError(
                f"The branch {branch} exists and holds other commits. Rename it: "
                f"git branch -m {branch} NAME"
            )
        raise UsageError(
            f"This candidate was begun from {began[:12]}, not from {base[:12]}. Use that base, "
            f"or delete its commits: git update-ref -d refs/heads/{branch}"
        )

    def _began(self, tip: str, leaf: str) -> str:
        """Return the last commit before those of this candidate."""
        rows = self._git(
            "log", "--first-parent", "--max-count=1000",
            f"--format=%H %(trailers:key={TRAILER},valueonly,separator=%x20)", tip,
        )  # fmt: skip
        commit = tip
        for row in rows.split("\n"):
            commit, _, trailer = row.partition(" ")
            if trailer.strip() != leaf:
                break
        return commit

    def _is_ancestor(self, one: str, other: str) -> bool:
        try:
            self._git("merge-base", "--is-ancestor", one, other)
        except GitError:
            return False
        return True

    def _unlock_branch(self, leaf: str) -> None:
        """Remove the lock of a killed git on our own branch, which only we write."""
        with suppress(FileNotFoundError, NotADirectoryError):
            (self._common / "refs/heads" / PREFIX / f"{leaf}.lock").unlink()
