"""Which forge `--forge` means."""

from __future__ import annotations

import re
from pathlib import Path

from self_improve import git_command
from self_improve.errors import UsageError
from self_improve.forge import github_access
from self_improve.forge.forge import Forge
from self_improve.forge.github import GitHubForge
from self_improve.forge.local import LocalForge
from self_improve.git_command import GitError

_ADDRESS = re.compile(
    r"(?:[a-z+]+://(?:[^@/]+@)?|[\w.-]+@)([\w.-]+)(?::\d+)?[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def chosen(given: str, code: Path, place: Path) -> Forge:
    """Return the forge that `given` names, for the code tree `code`.

    `local` is the embedded one in the directory `place`; `github` is where the code's remote
    `origin` is, `github:OWNER/NAME` another repository there or on github.com.

    Raises:
        UsageError: it names none, GITHUB_TOKEN is not set, or `origin` is on no GitHub.
    """
    kind, _, repository = given.partition(":")
    if given == "local":
        return LocalForge(place)
    if kind != "github" or (not repository and given != "github"):
        raise UsageError(f"--forge {given}: say local, github or github:OWNER/NAME.")
    host, own = _origin(code)
    if not (repository or own):
        raise UsageError(
            f"The code in {code} has no remote origin on a GitHub; say --forge github:OWNER/NAME."
        )
    api = None if host in (None, "github.com") else f"https://{host}/api/v3"
    return GitHubForge(github_access.from_environment(repository or str(own), api=api))


def _origin(code: Path) -> tuple[str | None, str | None]:
    """Return the host and the OWNER/NAME of the code's remote `origin`, None if it has none."""
    try:
        address = git_command.run(code, "remote", "get-url", "origin")
    except GitError:
        return None, None
    found = _ADDRESS.fullmatch(address)
    return found.groups() if found else (None, None)  # type: ignore[return-value]
