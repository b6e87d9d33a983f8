"""The git side of a forge: branches at an address, moved without losing anything there."""

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
    UnreachableError,
    checked_commit,
)

KEPT = "refs/plumbline"

# What git-check-ref-format(1) refuses.
_NO_REF = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|/\.|/$|\.$|\.lock(/|$)")
_MOVED = re.compile(r"\[rejected\]|stale info|non-fast-forward|fetch first")
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

    `settings` are git's configuration for it and may hold a secret: they go through the
    environment of each call alone, and `clean` takes them out of what git says.
    """

    address: str
    called: str
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    clean: Callable[[str], str] = field(default=_as_it_is, repr=False)
    seconds: float = 300

    def tip(self, repository: Path, branch: str) -> str | None:
        """Return the commit of a branch there, or None if there is no such branch.

        Raises:
            ForgeError: it cannot be asked.
        """
        ref = self._checked(f"refs/heads/{branch}")
        told = self._git(repository, "ls-remote", "--refs", "--", self.address, ref)
        rows = [row.split("\t") for row in told.splitlines()]
        return next((commit for commit, name in rows if name == ref), None)

    def push(self, repository: Path, branch: str, commit: str) -> None:
        """Set a branch there to a commit, if it is new, or behind that commit, or there already.

        Raises:
            MovedError: the branch holds commits that would be lost.
            ForgeError: the push was refused, or the address cannot be reached.
        """
        ref = self._checked(f"refs/heads/{branch}")
        self._git(
            repository, "push", "--no-verify", "--", self.address, f"{checked_commit(commit)}:{ref}"
        )

    def fetch(self, repository: Path, ref: str, name: str) -> str:
        """Bring what `ref` names there into a repository as `refs/plumbline/NAME`, and return it.

        Raises:
            MissingError: there is no such thing there.
            ForgeError: it cannot be brought.
        """
        kept = f"{KEPT}/{name}"
        self._checked(ref)
        self._git(
            repository, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc",
            "--", self.address, f"+{ref}:{kept}",
        )  # fmt: skip
        return git.run(repository, "rev-parse", "--verify", f"{kept}^{{commit}}")

    def _checked(self, ref: str) -> str:
        if not ref.isprintable() or _NO_REF.search(ref):
            raise RefusedError(f"{self.called}: {ref!r} is no name that git allows.")
        return ref

    def _git(self, repository: Path, *words: str) -> str:
        try:
            return git.run(
                repository, *words, settings=[*_SETTINGS, *self.settings], seconds=self.seconds
            )
        except GitError as error:
            raise self._error(words[0], self.clean(error.output)) from None

    def _error(self, word: str, told: str) -> ForgeError:
        lines = [line for line in told.strip().splitlines() if not line.startswith("hint:")]
        said = f"{self.called}: git {word} failed: " + " ".join(lines)
        if _MOVED.search(told):
            return MovedError(f"{said} Somebody else pushed to that branch.")
        if _REFUSED.search(told):
            return RefusedError(f"{said} May this token push there?")
        if _MISSING.search(told):
            return MissingError(said)
        return UnreachableError(f"{said} Repeat the command later.")
