"""Which forge `--forge` means."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from self_improve import git_command
from self_improve.errors import UsageError
from self_improve.forge.forge import Forge
from self_improve.forge.github import GitHubForge
from self_improve.forge.github_access import API, Access, from_environment
from self_improve.forge.local import LocalForge
from self_improve.git_command import GitError

_ADDRESS = re.compile(
    r"(?:[a-z+]+://(?:[^@/]+@)?|[\w.-]+@)([\w.-]+)(?::\d+)?[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def chosen(given: str, code: Path, place: Path) -> Forge:
    """Return the forge that `given` names, for the code tree `code`.

    `local` is the embedded one in the directory `place`. `github:OWNER/NAME` is a repository on
    github.com, or on the GitHub Enterprise whose interface GITHUB_API_URL names; `github` is the
    one that the code's remote `origin` leads to.

    Raises:
        UsageError: it names none, GITHUB_TOKEN is not set, or `origin` is on no GitHub.
    """
    kind, _, repository = given.partition(":")
    if given == "local":
        return LocalForge(place)
    if kind != "github" or (not repository and given != "github"):
        raise UsageError(f"--forge {given}: say local, github or github:OWNER/NAME.")
    return GitHubForge(from_environment(repository) if repository else _of_origin(code))


def _of_origin(code: Path) -> Access:
    try:
        address = git_command.run(code, "remote", "get-url", "origin")
    except GitError:
        address = ""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            f"The code in {code} has no remote origin on a GitHub; say --forge github:OWNER/NAME."
        )
    host, repository = found.groups()
    access = from_environment(repository)
    # The token is for the GitHub that the user named, not for wherever origin leads.
    if urlsplit(access.site).hostname != host:
        raise UsageError(
            f"The remote origin is on {host}, and the token is for {access.name}. If {host} is a "
            f"GitHub Enterprise, set {API}=https://{host}/api/v3; otherwise say "
            "--forge github:OWNER/NAME."
        )
    return access
