"""Which code this is: its commit, and the digest of the files that are really there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from self_improve.code import git
from self_improve.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class CodeTree:
    """A code tree and the commit that names it.

    `commit` and `branch` are None outside a git repository, the branch also on a detached head;
    `dirty` says that the files differ from the commit.
    """

    root: Path
    commit: str | None
    branch: str | None
    dirty: bool
    digest: str

    def to_row(self) -> dict[str, Any]:
        """Return the facts without the path, which says something only on this machine."""
        return {key: value for key, value in asdict(self).items() if key != "root"}


def read(root: Path, import_roots: Iterable[str], *, paths: Sequence[str] = ()) -> CodeTree:
    """Return the code tree in `root`; its digest is over the files of `import_roots`.

    With `paths` only changes below these make it dirty.

    Raises:
        UsageError: one of the import roots does not exist.
    """
    digest = digest_of(root, import_roots)
    commit, branch, dirty = _git_facts(root, paths)
    return CodeTree(root=root, commit=commit, branch=branch, dirty=dirty, digest=digest)


def digest_of(root: Path, import_roots: Iterable[str]) -> str:
    """Return the SHA-256 over names and contents of all files of `import_roots`.

    Files that are not Python count, as they may hold prompts; bytecode and hidden files do not.

    Raises:
        UsageError: one of them does not exist.
    """
    total = hashlib.sha256()
    for name in sorted(import_roots):
        base = root.joinpath(*name.split("."))
        files = _files(base) if base.is_dir() else [base.with_suffix(".py")]
        if not any(path.suffix == ".py" and path.is_file() for path in files):
            raise UsageError(f"There is no package {name} in {root}; is this the right code tree?")
        for path in files:
            total.update(f"{path.relative_to(root).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Return the files below `folder` that are part of its code."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(
            part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts
        )
    )


def _git_facts(root: Path, paths: Sequence[str]) -> tuple[str | None, str | None, bool]:
    try:
        commit, named = git.inspect(
            root, "rev-parse", "HEAD", "--symbolic-full-name", "HEAD"
        ).split("\n")
        # Into submodules git would go with their own settings.
        changes = git.inspect(
            root, "status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=dirty",
            "--", *(str(root / path) for path in paths),
        )  # fmt: skip
    except (git.GitError, ValueError):
        return None, None, True
    return commit, named.removeprefix("refs/heads/") if named != "HEAD" else None, bool(changes)
