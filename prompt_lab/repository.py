"""The data repo's git side: one commit a phase, checked for what must never leave, and pushed."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_gateway.keys import Redactor
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout

if TYPE_CHECKING:
    from git import Git

_DEFAULT_AUTHOR = {"name": "Plumbline", "email": "plumbline@localhost"}
_PUSHES = 5
_LOCK_SECONDS = 120.0
_LARGEST = 64 * 1024 * 1024
_KEY_LIKE = re.compile(
    rb"\b(?:sk-(?:ant-|or-|proj-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}"
    rb"|github_pat_[A-Za-z0-9_]{30,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}"
    rb"|xox[abprs]-[A-Za-z0-9-]{20,})"
)


def git_of(root: Path) -> Git:
    """Return git for this directory and no other, whatever a hook around us has set.

    Raises:
        LabError: git is not installed.
    """
    try:
        # Imported here because it fails where git is not installed.
        from git import Git, Repo
    except ImportError as error:
        raise LabError(
            "A data repo is a git repository, and git cannot be started. Install git, then repeat "
            "the command."
        ) from error
    place = root / ".git"
    folder = Path(Repo(root).git_dir) if place.is_file() else place
    git = Git(root)
    git.update_environment(
        GIT_DIR=str(folder), GIT_WORK_TREE=str(root), GIT_INDEX_FILE=str(folder / "index")
    )
    return git


def name_author(git: Git) -> None:
    """Give commits an author where the user has set none."""
    for key, value in _DEFAULT_AUTHOR.items():
        if not git.config("--get", f"user.{key}", with_exceptions=False):
            for role in ("AUTHOR", "COMMITTER"):
                variable = f"GIT_{role}_{key.upper()}"
                git.update_environment(**{variable: os.environ.get(variable, value)})


class Repository:
    """Commits what a phase has made. Changes of the user's own are neither taken nor touched.

    `secrets` are the names of environment variables whose values must never be committed.
    """

    def __init__(self, layout: Layout, *, secrets: Iterable[str] = ()) -> None:
        self._layout = layout
        self._secrets = tuple(secrets)

    def commit(self, paths: Sequence[Path], message: str) -> str | None:
        """Commit `paths` as they are and return the commit, or None if nothing changed.

        Where a remote is set the commit is pushed; another process's commits are rebased onto.
        Killed at any moment, the same call finishes the work.

        Raises:
            LabError: a file holds a key or a path of this machine, or git refuses.
        """
        from git import GitCommandError  # see `git_of`

        git = git_of(self._layout.root)
        names = [str(path.relative_to(self._layout.root)) for path in paths if path.exists()]
        try:
            with claim(self._layout, "commit", wait_seconds=_LOCK_SECONDS):
                name_author(git)
                git.add("--", *names)
                changed = git.diff("--cached", "--name-only", "-z", "--", *names).split("\0")
                changed = [name for name in changed if name]
                if changed:
                    self._check(changed, git)
                    self._commit(git, changed, message)
                made = str(git.rev_parse("HEAD")) if changed else None
                self._push(git)
        except GitCommandError as error:
            told = Redactor(self._secrets)(error.stderr.strip())
            raise LabError(
                f"The files are in {self._layout.root}, but git refuses: {told}\nMend that and "
                "repeat the command: it goes on where this one stopped."
            ) from error
        return made

    def _commit(self, git: Git, names: Sequence[str], message: str) -> None:
        """Commit just these files; there may be more of them than fit on a command line."""
        with tempfile.NamedTemporaryFile() as listed:
            listed.write("\0".join(names).encode("utf-8", "surrogateescape"))
            listed.flush()
            git.commit(
                "--quiet", "--only", "-m", message, f"--pathspec-from-file={listed.name}",
                "--pathspec-file-nul",
            )  # fmt: skip

    def _check(self, names: Sequence[str], git: Git) -> None:
        """Take the files back out of the index if one of them must not leave this machine."""
        problems = [p for name in names if (p := self._fault(self._layout.root / name)) is not None]
        if problems:
            git.reset("--quiet", "--", *names)
            raise LabError(
                "Nothing was committed, because of what these files hold:\n  "
                + "\n  ".join(problems)
            )

    def _fault(self, path: Path) -> str | None:
        name = path.relative_to(self._layout.root)
        if not path.is_file():
            return None
        if path.stat().st_size > _LARGEST:
            return f"{name}: over {_LARGEST // 1024 // 1024} MB"
        data = path.read_bytes()
        text = data.decode("utf-8", "replace")
        if _KEY_LIKE.search(data) or Redactor(self._secrets)(text) != text:
            return f"{name}: what looks like a key"
        for place in _places(self._layout):
            if place in text:
                return f"{name}: a path of this machine"
        return None

    def _push(self, git: Git) -> None:
        """Push what the remote lacks; a remote that moved is rebased onto, several times."""
        from git import GitCommandError  # see `git_of`

        remotes = str(git.remote()).split()
        if not remotes:
            return
        remote = "origin" if "origin" in remotes else remotes[0]
        branch = str(git.symbolic_ref("--short", "HEAD"))
        for tries_left in range(_PUSHES - 1, -1, -1):
            try:
                git.push("--quiet", remote, f"HEAD:refs/heads/{branch}")
            except GitCommandError:
                if not tries_left:
                    raise
            else:
                return
            self._rebase(git, remote, branch)
            time.sleep(0.1 * (_PUSHES - tries_left))

    def _rebase(self, git: Git, remote: str, branch: str) -> None:
        from git import GitCommandError  # see `git_of`

        try:
            git.fetch("--quiet", remote, branch)
            git.rebase("--quiet", "--autostash", "FETCH_HEAD")
        except GitCommandError:
            git.rebase("--abort", with_exceptions=False)
            raise


def _places(layout: Layout) -> tuple[str, ...]:
    """Return the paths of this machine that tell of it: where the data repo and the user live."""
    home = str(Path.home())
    told = {str(layout.root), *((home,) if len(home) > len("/root") else ())}
    return tuple(f"{place}/" for place in sorted(told))
