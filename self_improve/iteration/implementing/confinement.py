"""What an agent did to the files it was given, found by inspection; its word is not trusted."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from self_improve.iteration.implementing.implementer import LARGEST_FILE, Assignment

_BYTECODE = "__pycache__"
_RUNNABLE = 0o111


def lay_out(room: Path, files: Mapping[str, str]) -> None:
    """Write the files into an empty directory outside of any repository.

    Raises:
        OSError: it cannot be written.
    """
    for name, text in files.items():
        path = room / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(0o644)


def inspect(room: Path, assignment: Assignment) -> tuple[dict[str, str], list[str]]:
    """Return the new texts of the files that may be changed, and every breach.

    A breach is another file that was changed, created or deleted, a link, a file that became
    executable, or one that is not a text. No link is followed.
    """
    changed: dict[str, str] = {}
    breaches: list[str] = []
    seen = set()
    for path, state in _walked(room):
        name = path.relative_to(room).as_posix()
        seen.add(name)
        if name not in assignment.files:
            breaches.append(f"{_kind(state)} {name} was created")
            continue
        fault = _fault(state)
        if fault is not None:
            breaches.append(f"{name} {fault}")
            continue
        text = _text(path)
        if text is None:
            breaches.append(f"{name} is not text any more")
        elif text == assignment.files[name]:
            continue
        elif name in assignment.writable:
            changed[name] = text
        else:
            breaches.append(f"{name} was changed, which was not allowed")
    breaches += [f"{name} was deleted" for name in sorted(set(assignment.files) - seen)]
    return changed, sorted(breaches)


def names_machine(text: str) -> bool:
    """Whether a text holds a path in this user's home directory."""
    home = str(Path.home())
    return len(home) > len("/root") and f"{home}/" in text


def _walked(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield everything but plain directories, with its mode; bytecode does not count."""
    for path in sorted(folder.iterdir()):
        state = path.lstat()
        if not stat.S_ISDIR(state.st_mode):
            # A hard link to a file elsewhere counts as a link.
            yield path, state.st_mode if state.st_nlink == 1 else stat.S_IFLNK
        elif path.name == ".git":
            yield path, state.st_mode
        elif path.name != _BYTECODE:
            yield from _walked(path)


def _fault(mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return "became a link"
    if not stat.S_ISREG(mode):
        return "is not a file any more"
    return "became executable" if mode & _RUNNABLE else None


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "the link"
    return "the program" if stat.S_ISREG(mode) and mode & _RUNNABLE else "the new file"


def _text(path: Path) -> str | None:
    try:
        data = path.read_bytes() if path.lstat().st_size <= LARGEST_FILE else None
        return None if data is None else data.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
