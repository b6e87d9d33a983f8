"""Makes a data repo, or adds to one what it lacks, and never changes what is there."""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_lab import atomic, dataset
from prompt_lab.dataset import Dataset
from prompt_lab.errors import LabError
from prompt_lab.layout import SPLITS, Layout

if TYPE_CHECKING:
    from git import Git

_COPIES = {
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".gitattributes": "gitattributes",
    "populate_baseline.py": "populate_baseline.py",
    "run_optimization_iteration.py": "run_optimization_iteration.py",
}
_NO_CONTENT = {".git", ".dataset.json.part"}
_DEFAULT_AUTHOR = {"name": "Plumbline", "email": "plumbline@localhost"}


@dataclass(frozen=True, kw_only=True)
class Made:
    """What `init` did: the files it added, those it left alone, and whether it committed."""

    added: tuple[str, ...]
    left: tuple[str, ...]
    committed: bool


def init(root: Path) -> Made:
    """Make `root` a data repo with a first commit, or complete the one that is there.

    Killed at any moment, the same call finishes the work.

    Raises:
        LabError: the directory holds something else, or git is missing or refuses.
        OSError: the directory cannot be written.
    """
    layout = Layout(root)
    if not layout.dataset.is_file() and _has_content(root):
        raise LabError(
            f"{root} is not empty, and no data repo: it has no dataset.json. Nothing was changed. "
            "Name a new directory: python -m prompt_lab init DIR"
        )
    git = _git(root)
    root.mkdir(parents=True, exist_ok=True)
    files = dict(_files(layout))
    left = tuple(name for name in files if (root / name).exists())
    added = tuple(name for name in files if name not in left)
    for name in added:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write(root / name, files[name])
    return Made(added=added, left=left, committed=_commit(root, git, [*files]))


def _has_content(root: Path) -> bool:
    # What a clone of an empty repository or a killed init leaves is no content.
    return root.exists() and (
        not root.is_dir() or any(path.name not in _NO_CONTENT for path in root.iterdir())
    )


def _files(layout: Layout) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a data repo; first the one by which it is known for one."""
    yield layout.dataset.name, dataset.dumps(Dataset())
    templates = importlib.resources.files("prompt_lab") / "templates"
    for name, template in _COPIES.items():
        yield name, (templates / template).read_bytes()
    for folder in (
        *(layout.split(split) for split in SPLITS),
        layout.history,
        layout.analysis,
        layout.scores,
        layout.full_plan_comparisons,
    ):
        keep = folder / ".gitkeep"
        # Names with a dot are no content: a killed write leaves one.
        if not folder.is_dir() or all(path.name.startswith(".") for path in folder.iterdir()):
            yield str(keep.relative_to(layout.root)), b""


def _git(root: Path) -> Git:
    """Return git for this directory and no other, whatever a hook around us has set."""
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


def _commit(root: Path, git: Git, files: list[str]) -> bool:
    """Commit the files if the repository has no commit yet; return whether this was done."""
    from git import GitCommandError  # beside the import above, which says why

    try:
        if not (root / ".git").exists():
            git.init("--quiet", "--initial-branch=main")
        if git.rev_parse("--verify", "--quiet", "HEAD", with_exceptions=False):
            return False
        for key, value in _DEFAULT_AUTHOR.items():
            if not git.config("--get", f"user.{key}", with_exceptions=False):
                for role in ("AUTHOR", "COMMITTER"):
                    variable = f"GIT_{role}_{key.upper()}"
                    git.update_environment(**{variable: os.environ.get(variable, value)})
        git.add("--force", "--", *files)
        git.commit("--quiet", "-m", "Start the data repo")
    except GitCommandError as error:
        raise LabError(
            f"The files are in {root}, but git refuses: {error.stderr.strip()}\n"
            f"Mend that, and repeat: python -m prompt_lab init {root}"
        ) from error
    return True
