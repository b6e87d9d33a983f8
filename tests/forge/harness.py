"""Forges to test: each with a real git remote, a user's repository, and ways to meddle."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from self_improve.forge.forge import Forge, PullState
from self_improve.forge.github import GitHubForge
from self_improve.forge.github_access import Access
from self_improve.forge.github_retry import BoundedRetry
from self_improve.forge.local import LocalForge
from self_improve.forge.pages import Front, Pages
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


def originals(folder: Path) -> Path:
    """Make a user's repository with a branch `main`, and a remote that has it, to be copied."""
    user, remote = folder / "user", folder / "remote.git"
    user.mkdir()
    (user / "prompt.py").write_text("old")
    (user / "other.py").write_text("old")
    git(user, "init", "-q", "-b", "main")
    git(user, "add", ".")
    git(user, "commit", "-q", "-m", "First")
    shutil.rmtree(user / ".git/hooks", ignore_errors=True)
    git(folder, "clone", "-q", "--bare", str(user), str(remote))
    git(remote, "config", "http.receivepack", "true")
    return folder


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
    folder: Path
    user: Path

    @property
    def bare(self) -> Path:
        """Its repository."""
        return self.folder / "repository.git"

    def fork_pull(self, head: str) -> int:
        """Write the page of a pull request from elsewhere."""
        git(self.user, "push", "-q", str(self.bare), f"{head}:refs/pull/77/head")
        front = Front(
            number=77, title="From afar", state=PullState.open, branch="candidate",
            base="main", head=head, fork=True,
        )  # fmt: skip
        Pages(self.folder).write_pull(front, "Body")
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


def local(folder: Path, originals: Path) -> LocalHarness:
    """Return an empty local forge."""
    forge_folder = folder / "data/forge"
    user = Path(shutil.copytree(originals / "user", folder / "user"))
    harness = LocalHarness(LocalForge(forge_folder), forge_folder, user)
    harness.forge.base_commit(user, "main")
    return harness


def github(
    folder: Path, originals: Path, server: Server, *, token: str = TOKEN, retries: int = 2,
    timeout: int = 20,
) -> GitHubHarness:  # fmt: skip
    """Return a repository on the loopback server that has `main`, and a forge for it."""
    name = f"owner/repo-{next(_NUMBERS)}"
    bare = Path(shutil.copytree(originals / "remote.git", folder / "remote.git"))
    user = Path(shutil.copytree(originals / "user", folder / "user"))
    server.repos[name] = repo = Repo(name, bare)
    pauses: list[float] = []

    class Recorded(BoundedRetry):
        pause = staticmethod(pauses.append)

    access = Access(
        repository=name, token=token, api=server.public,
        git=f"{server.address}/{name}.git",
    )  # fmt: skip
    forge = GitHubForge(
        access, retry=Recorded(total=retries), timeout=timeout, seconds_between_writes=0
    )
    return GitHubHarness(forge, server, repo, user, pauses)
