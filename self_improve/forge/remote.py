"""The git side of a forge: branches at an address, moved without losing commits there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from self_improve.code import git
from self_improve.code.git import GitError
from self_improve.forge.forge import (
    ForgeError,
    MissingError,
    MovedError,
    RefusedError,
    UncertainError,
    checked_commit,
)

KEPT = "refs/plumbline"

# What git-check-ref-format(1) refuses.
_NO_REF = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|/\.|/$|\.$|\.lock(/|$)")
_MOVED = re.compile(r"\[rejected\]|stale info|non-fast-forward|fetch first")
_SHALLOW = re.compile(r"shallow update not allowed|\(shallow")
_REFUSED = re.compile(
    r"\[remote rejected\]|Authentication failed|could not read Username|Permission|denied"
    r"|error: 40[13]|not permitted|protected branch"
)
_MISSING = re.compile(
    r"not found|does not exist|not appear to be a git repository|couldn't find remote ref"
    r"|error: 404",
    re.IGNORECASE,
)
_SETTINGS = (
    ("push.followTags", "false"),
    ("push.gpgSign", "false"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "no"),
    # A redirection could take what is in our headers to another host.
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
)


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository at an address.

    `settings` are git's configuration for it and may hold a secret: they go only through the
    environment of each call, and `clean` takes them out of git's output.
    """

    address: str
    called: str
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    clean: Callable[[str], str] = field(default=_as_it_is, repr=False)
    seconds: float = 300

    def tip(self, repository: Path, branch: str) -> str | None:
        """Return the commit of a branch there, or None if there is no such branch.

        Raises:
            ForgeError: the address cannot be read.
        """
        ref = self._checked(f"refs/heads/{branch}")
        output = self._git(repository, "ls-remote", "--refs", "--", self.address, ref)
        rows = [row.split("\t") for row in output.splitlines()]
        return next((commit for commit, name in rows if name == ref), None)

    def push(self, repository: Path, branch: str, commit: str) -> None:
        """Set a branch there to a commit, if it is new, behind that commit, or there already.

        Raises:
            MovedError: the branch holds commits that would be lost.
            ForgeError: the push was refused, or the address cannot be reached.
        """
        ref = self._checked(f"refs/heads/{branch}")
        self._git(
            repository, "push", "--no-verify", "--", self.address, f"{checked_commit(commit)}:{ref}"
        )

    def fetch(self, repository: Path, ref: str, name: str) -> str:
        """Fetch `ref` into a repository as `refs/plumbline/NAME`, and return its commit.

        Raises:
            MissingError: the address has no such ref.
            ForgeError: it cannot be fetched.
        """
        local = f"{KEPT}/{name}"
        self._checked(ref)
        self._git(
            repository, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc",
            "--", self.address, f"+{ref}:{local}",
        )  # fmt: skip
        return git.run(repository, "rev-parse", "--verify", f"{local}^{{commit}}")

    def _checked(self, ref: str) -> str:
        if not ref.isprintable() or _NO_REF.search(ref):
            raise RefusedError(f"{self.called}: git does not allow the name {ref!r}.")
        return ref

    def _git(self, repository: Path, *words: str) -> str:
        try:
            return git.run(
                repository, *words, settings=[*_SETTINGS, *self.settings], seconds=self.seconds
            )
        except GitError as error:
            raise self._error(words[0], self.clean(error.output)) from None

    def _error(self, word: str, output: str) -> ForgeError:
        lines = [line for line in output.strip().splitlines() if not line.startswith("hint:")]
        message = f"{self.called}: git {word} failed: " + " ".join(lines)
        if _MOVED.search(output):
            return MovedError(f"{message} Somebody else pushed to that branch.")
        if _SHALLOW.search(output):
            return RefusedError(
                f"{message} The repository is a shallow clone, which lacks older commits: run "
                "`git fetch --unshallow` in it."
            )
        if _REFUSED.search(output):
            return RefusedError(f"{message} Check that this token may push there.")
        if _MISSING.search(output):
            return MissingError(message)
        return UncertainError(f"{message} Run the same command again later.")
