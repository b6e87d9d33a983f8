"""Unpacks the zip of a plan from an untrusted source, writing only inside one directory."""

from __future__ import annotations

import os
import re
import shutil
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from model_gateway.foreign_files import json_of, opened, read_bytes
from model_gateway.jsonl import read_rows
from prompt_lab import lfs
from prompt_lab.errors import LabError

_PLAN_TEXT = re.compile(r"(?:\d+-)*plan\.txt")
"""The name of the artifact that holds the plan's prompt, numbered or not."""

_CHUNK = 1 << 16
_MOST_NAMED = 10
_DEEPEST = 32
_LARGEST_JSON_CHECKED = 50_000_000
_RATIO_COUNTS_FROM = 1_000_000
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_ENTRY = b"PK\x01\x02"
_GIT_FILES = {".git", ".gitattributes", ".gitignore", ".gitmodules"}
_BROKEN = (BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError)


@dataclass(frozen=True, kw_only=True)
class UnzipLimits:
    """Limits that a genuine plan's zip stays below; recorded ones unpack to four times the size."""

    total_bytes: int = 1_000_000_000
    ratio: int = 100
    members: int = 10_000


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """The result of unpacking: how much, which members were ignored, which JSON is damaged."""

    files: int
    size: int
    ignored: tuple[str, ...]
    damaged: tuple[str, ...]


def unpack(archive: Path, into: Path, *, called: str, limits: UnzipLimits) -> Unpacked:
    """Unpack `archive` into the new directory `into`; messages name the zip as `called`.

    A single folder around everything is removed. On failure nothing is left behind.

    Raises:
        LabError: the zip is unsafe, broken or not a plan; the message lists every problem.
        OSError: `into` exists or cannot be made.
    """
    into.mkdir()
    try:
        _refuse_crowd(archive, called, limits)
        with _opened(archive, called) as zip_file:
            files, ignored = _targets(zip_file.infolist(), called)
            size = _write(zip_file, files, into, called, _room(archive, limits))
        _refuse_pointers([into / name for name in files], into, called)
        _check_plan_text(into, called)
        damaged = tuple(name for name in sorted(map(str, files)) if _is_damaged(into / name))
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    return Unpacked(files=len(files), size=size, ignored=ignored, damaged=damaged)


def _refuse_crowd(archive: Path, called: str, limits: UnzipLimits) -> None:
    # Counted before zipfile reads the directory, because that holds every entry in memory.
    count, tail = 0, b""
    with opened(archive) as file:
        while chunk := file.read(_CHUNK):
            count += (tail + chunk).count(_ENTRY)
            tail = chunk[-len(_ENTRY) + 1 :]
    if count > limits.members:
        raise LabError(
            f"{called}: about {count:,} members, more than {limits.members:,}: this is not a plan. "
            "Zip only one plan's directory."
        )


def _opened(archive: Path, called: str) -> ZipFile:
    try:
        return ZipFile(archive)
    except _BROKEN as error:
        with opened(archive) as file:
            head = file.read(len(lfs.POINTER))
        if head == lfs.POINTER:
            cause = "it is a Git LFS pointer. Fetch the file itself: git lfs pull"
        elif not head:
            cause = "it is empty. Get it again"
        elif head.lstrip().startswith(b"<"):
            cause = "it looks like a web page. Check the address"
        elif head.startswith(b"PK"):
            cause = f"it is cut off or damaged ({error}). Get it again"
        else:
            cause = f"{error}. Check that this is the right file"
        raise LabError(f"{called} is not a readable zip: {cause}.") from error


def _room(archive: Path, limits: UnzipLimits) -> int:
    """Return how many bytes may come out, whatever the zip claims."""
    return min(limits.total_bytes, max(_RATIO_COUNTS_FROM, limits.ratio * archive.stat().st_size))


def _targets(
    members: list[ZipInfo], called: str
) -> tuple[dict[PurePosixPath, ZipInfo], tuple[str, ...]]:
    """Decide where each member goes before anything is written."""
    problems = [problem for member in members for problem in _problems(member)]
    ignored: list[str] = []
    files: list[tuple[PurePosixPath, ZipInfo]] = []
    for member in members:
        path = PurePosixPath(member.filename)
        if "__MACOSX" in path.parts[:1] or path.name == ".DS_Store":
            ignored.append(member.filename)
        elif not member.is_dir():
            files.append((path, member))
    if not problems:
        problems.extend(_collisions([path for path, _ in files]))
    if not problems and not files:
        problems.append("it holds no files")
    if problems:
        listed = problems[:_MOST_NAMED]
        if len(problems) > _MOST_NAMED:
            listed.append(f"and {len(problems) - _MOST_NAMED} more")
        raise LabError(
            f"{called} is refused:\n"
            + "\n".join(f"  {problem}" for problem in listed)
            + "\nZip the plan's directory again, as plain files: zip -r NAME.zip DIRECTORY"
        )
    if len({path.parts[0] for path, _ in files}) == 1 and all(len(p.parts) > 1 for p, _ in files):
        files = [(PurePosixPath(*path.parts[1:]), member) for path, member in files]
    return dict(files), tuple(ignored)


def _problems(member: ZipInfo) -> Iterator[str]:
    # zipfile cuts a name at NUL, so both the original and the cut name are checked.
    for name in dict.fromkeys((member.orig_filename, member.filename)):
        for problem in _name_problems(name):
            yield f"member {name!r}: {problem}"
    name = member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        yield f"member {name!r}: a symbolic link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield f"member {name!r}: a special file (type {kind:o})"
    elif kind and (kind == stat.S_IFDIR) != member.is_dir():
        yield f"member {name!r}: its name and its type disagree on whether it is a folder"
    if member.flag_bits & _ENCRYPTED:
        yield f"member {name!r}: encrypted"
    # Others can turn a few bytes into gigabytes of memory before anything is counted.
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        yield f"member {name!r}: compression method {member.compress_type}; only deflate is read"


def _name_problems(name: str) -> Iterator[str]:
    parts = name.split("/")
    if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in name):
        yield "control characters in its name"
    if "\\" in name:
        yield "a backslash in its name"
    if name.startswith("/"):
        yield "an absolute path"
    if any(re.match("[A-Za-z]:", part) for part in parts):
        yield "a drive letter in its name"
    if ".." in parts:
        yield "a name that leads out of the plan ('..')"
    # Git reads these in any folder: they could run commands, or hide the plan from a commit.
    if _GIT_FILES.intersection(map(str.casefold, parts)):
        yield "a file of git inside a plan"
    if len(parts) > _DEEPEST:
        yield f"folders nested more than {_DEEPEST} deep"
    if not PurePosixPath(name).parts:
        yield "no name"


def _collisions(paths: list[PurePosixPath]) -> Iterator[str]:
    """Yield the members that would be one file on a disk that folds case or Unicode forms."""
    seen: dict[str, tuple[str, bool]] = {}
    for path in paths:
        for part in [*reversed(path.parents), path][1:]:
            here = (str(part), part is path)
            folded = unicodedata.normalize(
                "NFC", unicodedata.normalize("NFC", str(part)).casefold()
            )
            there = seen.get(folded)
            if there is None:
                seen[folded] = here
            elif there[0] != here[0]:
                yield f"{there[0]!r} and {here[0]!r} differ only in case or Unicode form"
            elif there[1] and here[1]:
                yield f"two members are called {here[0]!r}"
            elif there[1] or here[1]:
                yield f"{here[0]!r} is both a file and a folder"


def _write(
    zip_file: ZipFile, files: dict[PurePosixPath, ZipInfo], into: Path, called: str, room: int
) -> int:
    size = 0
    for name, member in files.items():
        try:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            # Opened with the usual mode of new files: executable bits are not copied.
            with zip_file.open(member) as source, (into / name).open("xb") as target:
                while chunk := source.read(_CHUNK):
                    size += len(chunk)
                    if size > room:
                        raise LabError(
                            f"{called}: unpacks to more than {room:,} bytes, at member "
                            f"{str(name)!r}: it looks like a zip bomb. If you trust it, unzip it, "
                            "remove large files and zip it again."
                        )
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
        except OSError as error:
            raise LabError(
                f"{called}: member {str(name)!r} cannot be written: {error.strerror or error}. "
                "Fix that and run the same command again."
            ) from error
        except (*_BROKEN, RuntimeError) as error:
            raise LabError(
                f"{called}: member {str(name)!r} is broken: {error or 'it ends early'}. "
                "Get the zip again."
            ) from error
    return size


def _refuse_pointers(paths: Iterable[Path], folder: Path, called: str) -> None:
    pointers = sorted(str(p.relative_to(folder)) for p in paths if lfs.is_pointer_at(p))
    if pointers:
        more = f" and {len(pointers) - _MOST_NAMED} more" if len(pointers) > _MOST_NAMED else ""
        raise LabError(
            f"{called} is refused: it holds Git LFS pointers in place of files: "
            f"{', '.join(pointers[:_MOST_NAMED])}{more}. Fetch them with `git lfs pull`, and zip "
            "the plan's directory again."
        )


def _check_plan_text(plan: Path, called: str) -> None:
    files = sorted(file for file in plan.iterdir() if _PLAN_TEXT.fullmatch(file.name))
    path = next(filter(Path.is_file, files), None)
    if path is None:
        raise LabError(
            f"{called}: no plan text in it (plan.txt, numbered or not). "
            "Zip the whole directory of a plan, with its prompt."
        )
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabError(
            f"{called}: {path.name} is not UTF-8 (byte {error.start}). "
            "Save it as UTF-8 and zip again."
        ) from error
    if not text.strip():
        raise LabError(f"{called}: {path.name} is empty. Put the plan's prompt in and zip again.")


def _is_damaged(path: Path) -> bool:
    """Return whether JSON is torn or not UTF-8; plain text under a .json name is accepted."""
    if path.suffix not in (".json", ".jsonl") or path.stat().st_size > _LARGEST_JSON_CHECKED:
        return False
    try:
        if path.suffix == ".jsonl":
            return read_rows(path)[1] > 0
        text = read_bytes(path, most=_LARGEST_JSON_CHECKED).decode("utf-8-sig").lstrip()
        if not text or text.startswith(("{", "[")):
            json_of(text)
    except ValueError:
        return True
    return False
