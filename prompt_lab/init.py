"""Creates a data repo, or adds what one lacks, and never changes existing files."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_gateway.invocation import typed
from prompt_lab import atomic, dataset
from prompt_lab.claim import directory_lock
from prompt_lab.dataset import Dataset
from prompt_lab.errors import LabError
from prompt_lab.git import Git, GitError
from prompt_lab.git_locks import at_work
from prompt_lab.layout import SPLITS, Layout

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
    """Make `root` a data repo with a first commit, or complete the existing one.

    If killed, the same call finishes the work. Of several processes at once, one does it all.

    Raises:
        LabError: the directory holds something else, or git is missing or refuses.
        OSError: the directory cannot be written.
    """
    Git(root)  # Where git is missing, nothing is made.
    if root.exists() and not root.is_dir():
        raise _something_else(root)
    root.mkdir(parents=True, exist_ok=True)
    with directory_lock(root) as lock:
        return _init(root, lock)


def _init(root: Path, lock: int) -> InitResult:
    layout = Layout(root)
    if not layout.dataset.is_file() and _has_content(root):
        raise _something_else(root)
    git = Git(root)
    files = dict(_files(layout))
    left = tuple(name for name in files if (root / name).exists())
    added = tuple(name for name in files if name not in left)
    for name in added:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write(root / name, files[name])
    return InitResult(added=added, left=left, committed=_commit(root, git, [*files], lock))


def _something_else(root: Path) -> LabError:
    return LabError(
        f"{root} is not empty and has no dataset.json, so it is not a data repo. Nothing was "
        f"changed. Name a new directory: {typed('lab init DIR')}"
    )


def _has_content(root: Path) -> bool:
    # A clone of an empty repository and a killed init leave nothing else.
    return any(path.name not in _NO_CONTENT for path in root.iterdir())


def _files(layout: Layout) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a data repo, first the one that marks it as one."""
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
        # A killed write leaves a name with a dot.
        if not folder.is_dir() or all(path.name.startswith(".") for path in folder.iterdir()):
            yield str(keep.relative_to(layout.root)), b""


def _commit(root: Path, git: Git, files: list[str], lock: int) -> bool:
    """Commit the files if the repository has no commit yet; return whether this was done."""
    try:
        git.folder.mkdir(exist_ok=True)
        with at_work(git):
            # A killed git may have left a part of it; for a whole one this changes nothing.
            if not git.attempt("rev-parse", "--git-dir"):
                git("init", "--quiet", "--initial-branch=main", keep=[lock])
            if git.attempt("rev-parse", "--verify", "--quiet", "HEAD"):
                return False
            git.name_author()
            git("add", "--force", "--", *files, keep=[lock])
            git("commit", "--quiet", "-m", "Start the data repo", keep=[lock])
    except GitError as error:
        raise LabError(
            f"The files are in {root}, but git failed: {error.output.strip()}\n"
            f"Fix that and run again: {typed('lab init')} {root}"
        ) from error
    return True
