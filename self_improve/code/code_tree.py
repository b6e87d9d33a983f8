"""Which code this is: its commit, and the digest of the files that are really there."""

from __future__ import annotations

import hashlib
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath
from typing import Any

from self_improve.code import git
from self_improve.errors import UsageError

_IMPORT = re.compile(rb"^[ \t]*(?:import|from)[ \t]+([^\n]+)", re.MULTILINE)
_NOT_IMPORTED = frozenset({"antigravity", "idlelib", "test", "tests", "this", "turtledemo"})
"""Installed modules that no code imports, so that files of these names hide nothing."""


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

    Changed files make it dirty, with `paths` only those below these. A file that git does not know
    makes it dirty only where the import roots reach it: in one of them, as a module that they
    import, also by way of others, or as one that hides an installed module from all who import it.

    Raises:
        UsageError: one of the import roots does not exist.
    """
    digest = digest_of(root, import_roots)
    commit, branch, dirty = _git_facts(root, tuple(import_roots), paths)
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


def _git_facts(
    root: Path, import_roots: Sequence[str], paths: Sequence[str]
) -> tuple[str | None, str | None, bool]:
    root = root.resolve()
    try:
        commit, named = git.inspect(
            root, "rev-parse", "HEAD", "--symbolic-full-name", "HEAD"
        ).split("\n")
        # Into submodules git would go with their own settings.
        changes = git.inspect(
            root, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty",
            "--", *(str(root / path) for path in paths),
        )  # fmt: skip
        dirty = (
            bool(changes)
            or _reaches(root, import_roots, _untracked(root, import_roots))
            or _hides_a_dependency(root)
            or _is_changed_unseen(root, import_roots)
        )
    except (git.GitError, ValueError):
        return None, None, True
    return commit, named.removeprefix("refs/heads/") if named != "HEAD" else None, dirty


def _is_changed_unseen(root: Path, import_roots: Sequence[str]) -> bool:
    """Whether a file of the import roots differs that git was told not to look at.

    Files can be marked so (`git update-index --assume-unchanged` or `--skip-worktree`) to keep a
    change of one's own out of every commit.
    """
    bases = [str(root.joinpath(*name.split("."))) for name in import_roots]
    bases += [f"{base}.py" for base in bases]
    listed = git.inspect(root, "ls-files", "-v", "-s", "-z", "--full-name", "--", *bases)
    top = Path(git.inspect(root, "rev-parse", "--show-toplevel"))
    for entry in listed.split("\0"):
        facts, _, name = entry.partition("\t")
        if not name or facts[0] == "H":
            continue
        path, blob = top / name, facts.split(" ")[2]
        if path.is_file() and _blob(path.read_bytes(), len(blob)) != blob:
            return True
    return False


def _blob(content: bytes, length: int) -> str:
    """Return the name that git gives to a content, in a repository with names of this length."""
    algorithm = hashlib.sha1 if length == 40 else hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _untracked(root: Path, import_roots: Sequence[str]) -> list[PurePosixPath]:
    """Return the files below `root` that are not in the repository, relative to it.

    Python files of the import roots that git ignores are among them: they run as well.
    """
    bases = [str(root.joinpath(*name.split("."))) for name in import_roots]
    others = ["--others", "--full-name", "--exclude-standard", "-z"]
    listed = git.inspect(root, "ls-files", *others, "--", str(root)).split("\0")
    ignored = git.inspect(root, "ls-files", "--ignored", *others, "--", *bases).split("\0")
    listed += [name for name in ignored if name.endswith(".py")]
    top = Path(git.inspect(root, "rev-parse", "--show-toplevel"))
    paths = [(top / name) for name in listed if name]
    return [PurePosixPath(p.relative_to(root)) for p in paths if p.is_relative_to(root)]


def _reaches(root: Path, import_roots: Sequence[str], untracked: Sequence[PurePosixPath]) -> bool:
    """Whether the code of the import roots holds one of these files, or imports it."""
    bases = [tuple(name.split(".")) for name in import_roots]
    modules = set()
    for path in untracked:
        if any(part.startswith(".") or part == "__pycache__" for part in path.parts):
            continue
        plain = (*path.parts[:-1], path.stem) if path.suffix == ".py" else path.parts
        if any(plain[: len(base)] == base for base in bases):
            return True
        if path.suffix == ".py":
            modules.add(path.parts[0].removesuffix(".py"))
    return bool(modules) and not modules.isdisjoint(_imported(root, import_roots))


def _imported(root: Path, import_roots: Sequence[str]) -> set[str]:
    """Return the names in the imports of the code, and of what it imports from beside it."""
    beside = {path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"}
    names: set[str] = set()
    left, seen = list(import_roots), set(import_roots)
    while left:
        for path in _code_files(root, [left.pop()]):
            for line in _IMPORT.findall(path.read_bytes()):
                words = re.findall(rb"\w+", line.partition(b" import ")[0])
                names |= {word.decode("utf-8", "replace") for word in words}
        more = (names & beside) - seen
        seen |= more
        left += sorted(more)
    return names


def _hides_a_dependency(root: Path) -> bool:
    """Whether a module in `root` that is not in the repository hides an installed one.

    The root comes first where modules are looked for, so its `yaml.py` answers in place of the
    installed package to all code that imports it, and also if git ignores it.
    """
    hiding = [
        module.name
        for module in pkgutil.iter_modules([str(root)])
        if module.name not in _NOT_IMPORTED and _is_installed(module.name, root)
    ]
    if not hiding:
        return False
    others = git.inspect(root, "ls-files", "--others", "--directory", "-z", "--", str(root))
    untracked = {root / name for name in others.split("\0") if name}
    return any(
        not untracked.isdisjoint((path, path.parent))
        for name in hiding
        if (spec := PathFinder.find_spec(name, [str(root)])) is not None and spec.origin
        for path in [Path(spec.origin)]
    )


def _is_installed(name: str, root: Path) -> bool:
    """Whether a module is in the standard library, or found elsewhere than in `root`."""
    elsewhere = [place for place in sys.path if place and Path(place).resolve() != root]
    spec = PathFinder.find_spec(name, elsewhere)
    # A folder of this name without an `__init__.py` gives way to any module.
    return name in sys.stdlib_module_names or (spec is not None and spec.origin is not None)


def _code_files(root: Path, import_roots: Sequence[str]) -> Iterator[Path]:
    for name in import_roots:
        base = root.joinpath(*name.split("."))
        files = _files(base) if base.is_dir() else [base.with_suffix(".py")]
        yield from (path for path in files if path.suffix == ".py" and path.is_file())
