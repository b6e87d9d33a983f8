"""Forges to test: each with a real git remote, a user's repository, and ways to meddle with both."""

from __future__ import annotations

import itertools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from self_improve.forge.forge import Forge
from self_improve.forge.github import GitHubForge
from self_improve.forge.github_access import Access
from self_improve.forge.local import LocalForge
from self_improve.forge.pages import Front, Pages
from self_improve.forge.patience import Patience
from tests.forge.server import TOKEN, Repo, Server

_NUMBERS = itertools.count(1)


def git(folder: Path, *words: str) -> str:
    """Run git as the user would, and return what it says."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(user: Path, parent: str, *, file: str = "prompt.py", text: str = "new") -> str:
    """Make a commit in the user's repository that no branch names, and return it."""
    blob = subprocess.run(
        ["git", "-C", str(user), "hash-object", "-w", "--stdin"], input=text, check=True,
        capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    rows = [r for r in git(user, "ls-tree", parent).splitlines() if not r.endswith(f"\t{file}")]
    tree = subprocess.run(
        ["git", "-C", str(user), "mktree"], input="\n".join([*rows, f"100644 blob {blob}\t{file}"]),
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    return git(user, "commit-tree", tree, "-p", parent, "-m", f"{file}: {text}")


def user_repository(folder: Path) -> Path:
    """Return a user's repository with a branch `main`."""
    root = folder / "user"
    root.mkdir()
    (root / "prompt.py").write_text("old")
    (root / "other.py").write_text("old")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "First")
    return root


class Harness(Protocol):
    """A forge under test."""

    forge: Forge
    bare: Path
    user: Path

    def fork_pull(self, head: str) -> int:
        """Let a stranger open a pull request from a fork, and return its number."""


@dataclass
class LocalHarness:
    """The embedded forge."""

    forge: LocalForge
    place: Path
    user: Path

    @property
    def bare(self) -> Path:
        """Its repository."""
        return self.place / "repository.git"

    def fork_pull(self, head: str) -> int:
        """Write the page of a pull request from elsewhere."""
        git(self.user, "push", "-q", str(self.bare), f"{head}:refs/pull/77/head")
        front = Front(
            number=77, title="From afar", state="open", branch="candidate", base="main", head=head,
            fork=True,
        )  # fmt: skip
        Pages(self.place).write_pull(front, "Body")
        return 77


@dataclass
class GitHubHarness:
    """GitHub against the loopback server."""

    forge: GitHubForge
    server: Server
    repo: Repo
    user: Path
    pauses: list[float]

    @property
    def bare(self) -> Path:
        """The remote's repository."""
        return self.repo.bare

    def fork_pull(self, head: str) -> int:
        """Let a stranger open a pull request from a fork."""
        body = {"title": "From afar", "head": "candidate", "base": "main", "source": "stranger/it"}
        pull = self.server.add(self.repo, body)
        pull["sha"] = head
        git(self.user, "push", "-q", str(self.bare), f"{head}:refs/pull/{pull['number']}/head")
        return int(pull["number"])


def local(folder: Path) -> LocalHarness:
    """Return an empty local forge."""
    place = folder / "data/forge"
    made = LocalHarness(LocalForge(place), place, user_repository(folder))
    made.forge.base_commit(made.user, "main")
    return made


def github(folder: Path, server: Server, **changes: Any) -> GitHubHarness:
    """Return a repository on the loopback server that has `main`, and a forge for it."""
    name = f"owner/repo-{next(_NUMBERS)}"
    bare = folder / "remote.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    git(bare, "config", "http.receivepack", "true")
    user = user_repository(folder)
    git(user, "push", "-q", str(bare), "main")
    server.repos[name] = repo = Repo(name, bare)
    pauses: list[float] = []
    patience = Patience(**{"tries": 3, "timeout": 20, "pause": pauses.append, **changes})
    access = Access(
        repository=name, token=changes.pop("token", TOKEN), api=server.public,
        git=f"{server.address}/{name}.git",
    )  # fmt: skip
    forge = GitHubForge(access, patience=patience, seconds_between_writes=0)
    return GitHubHarness(forge, server, repo, user, pauses)


def quiet_environment() -> dict[str, str]:
    """Return the environment without settings of this machine's git."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT")}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
