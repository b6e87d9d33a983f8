"""Makes a data repo, or adds to one what it lacks, and never changes what is there."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_lab import atomic, dataset, repository
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


@dataclass(frozen=True, kw_only=True)
class InitResult:
    """What `init` did: the files it added, those it left alone, and whether it committed."""

    added: tuple[str, ...]
    left: tuple[str, ...]
    committed: bool


def init(root: Path) -> InitResult:
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
    git = repository.git_of(root)
    root.mkdir(parents=True, exist_ok=True)
    files = dict(_files(layout))
    left = tuple(name for name in files if (root / name).exists())
    added = tuple(name for name in files if name not in left)
    for name in added:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write(root / name, files[name])
    return InitResult(added=added, left=left, committed=_commit(root, git, [*files]))


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


def _commit(root: Path, git: Git, files: list[str]) -> bool:
    """Commit the files if the repository has no commit yet; return whether this was done."""
    from git import GitCommandError  # beside the import above, which says why

    try:
        if not (root / ".git").exists():
            git.init("--quiet", "--initial-branch=main")
        if git.rev_parse("--verify", "--quiet", "HEAD", with_exceptions=False):
            return False
        repository.name_author(git)
        git.add("--force", "--", *files)
        git.commit("--quiet", "-m", "Start the data repo")
    except GitCommandError as error:
        raise LabError(
            f"The files are in {root}, but git refuses: {error.stderr.strip()}\n"
            f"Mend that, and repeat: python -m prompt_lab init {root}"
        ) from error
    return True
