"""Reads files that anybody may have written or damaged, in bounded time and memory.

Only regular files are opened, up to a size; what is in them has a bounded depth. A file that cannot
be used raises `UnreadableFile`, whose message names the file, the cause and what to do.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from model_gateway.errors import PlumblineError

MOST_BYTES = 16_000_000
"""The largest file that is read whole; a JSON value takes up to twenty times its file's size."""
MOST_RECORD = 64_000_000
"""The largest file that is read whole and may grow with the history."""
MOST_DEPTH = 200
"""How deep values may be nested in each other."""
MOST_SETTINGS = 1_000_000
"""The largest file of settings: people write them, and their readers are slow."""
_MOST_YAML = 250_000
_MOST_YAML_DEPTH = 40
_MOST_SHOWN = 300

_KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


class UnreadableFile(PlumblineError, OSError, ValueError):  # noqa: N818 - it says what the file is
    """A file that cannot be used. `strerror` is the cause, for messages that name the file."""

    def __init__(self, path: str | Path, cause: str, remedy: str) -> None:
        super().__init__(f"{path} {cause}; {remedy}.")
        self.filename = str(path)
        self.strerror = cause

    def __str__(self) -> str:
        return str(self.args[0])


def cause_of(error: OSError) -> str:
    """Return why a file cannot be used, as the end of a sentence that names it."""
    cause = str(error.strerror or error)
    return f"it {cause}" if isinstance(error, UnreadableFile) else cause.lower()


def opened(path: Path) -> IO[bytes]:
    """Open a regular file for reading, without waiting for other kinds.

    Raises:
        UnreadableFile: it is a FIFO, a socket, a directory or a device.
        OSError: it is missing or may not be read.
    """
    try:
        _check_kind(path, path.stat())
        # Between the check and the opening a FIFO may take its place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(ascii(str(path)), "is not a file name", "name another one") from error
    try:
        _check_kind(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """Return what is in a regular file of at most `most` bytes.

    Raises:
        UnreadableFile: it is larger, or not a regular file.
        OSError: it is missing or may not be read.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        # Some files, as in /proc, hold more than their size says.
        data = file.read(most + 1) if size <= most else b""
    if size > most or len(data) > most:
        raise UnreadableFile(
            path, f"has more than {most / 1_000_000:g} MB", "use a smaller file in its place"
        )
    return data


def read_text(path: Path, *, most: int = MOST_BYTES) -> str:
    """Return the text of a UTF-8 file without its byte order mark, its line ends as newlines.

    Raises:
        UnreadableFile: it is too large, not a regular file, or in another encoding.
        OSError: it is missing or may not be read.
    """
    data = read_bytes(path, most=most)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            path, f"is not UTF-8 (byte {error.start})", "save it in that encoding"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def json_of(data: bytes | str) -> Any:
    """Return a JSON value that is nested at most `MOST_DEPTH` deep.

    Half surrogate pairs, which models write, are taken.

    Raises:
        ValueError: it is not JSON, or nested deeper.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep") from None
    # Most values have too few brackets to be nested that deep.
    brackets = (b"[", b"{") if isinstance(data, bytes) else ("[", "{")
    if sum(map(data.count, brackets)) > MOST_DEPTH:  # type: ignore[arg-type]
        _check_depth(value)
    return value


def read_json(path: Path, *, most: int = MOST_BYTES) -> Any:
    """Return the JSON value in a file.

    Raises:
        UnreadableFile: it is too large, not a regular file, or not JSON.
        OSError: it is missing or may not be read.
    """
    data = read_bytes(path, most=most)
    try:
        return json_of(data)
    except ValueError as error:
        raise _not_in_form(path, "JSON", error) from error


def read_json_object(path: Path, *, most: int = MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        UnreadableFile: it is too large, not a regular file, or not a JSON object.
        OSError: it is missing or may not be read.
    """
    value = read_json(path, most=most)
    if not isinstance(value, dict):
        raise UnreadableFile(path, "does not hold a JSON object", "restore it or remove it")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Return the values in a TOML file.

    Raises:
        UnreadableFile: it is too large, not a regular file, or not TOML.
        OSError: it is missing or may not be read.
    """
    text = read_text(path, most=MOST_SETTINGS)
    try:
        values = tomllib.loads(text)
        _check_depth(values)
    except (ValueError, OverflowError) as error:
        raise _not_in_form(path, "TOML", error) from error
    except RecursionError as error:
        raise _not_in_form(path, "TOML", "it is nested too deep") from error
    return values


def yaml_of(data: bytes | str) -> tuple[Any, list[str]]:
    """Return a YAML value of plain kinds, and the keys that are there twice, with their lines.

    Raises:
        ValueError: it is not YAML, too large, nested too deep, or refers to other parts of itself.
    """
    # Imported here because it takes longer than all else here, and few commands read YAML.
    from model_gateway.plain_yaml import loaded

    if len(data) > _MOST_YAML:
        raise ValueError(f"it has more than {_MOST_YAML / 1000:g} kB")
    if isinstance(data, str) and (half := [one for one in data if "\ud800" <= one <= "\udfff"]):
        raise ValueError(f"it holds half a surrogate pair, {half[0]!a}")
    return loaded(data, depth=_MOST_YAML_DEPTH)


def yaml_in(path: Path, data: bytes) -> tuple[Any, list[str]]:
    """Return as `yaml_of` does the value in the bytes of a file that was read.

    Raises:
        UnreadableFile: they cannot be used as YAML.
    """
    try:
        return yaml_of(data)
    except ValueError as error:
        raise _not_in_form(path, "YAML", error) from error


def read_table(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file, each with a text in every one of `columns`.

    Raises:
        UnreadableFile: it is too large, not a regular file, not UTF-8, lacks a column, or has a
            row with more or fewer fields than its head.
        OSError: it is missing or may not be read.
    """
    data = read_bytes(path, most=MOST_RECORD)
    try:
        yield from _rows_of(io.StringIO(data.decode("utf-8-sig"), newline=""), columns)
    except (csv.Error, ValueError) as error:
        raise _not_in_form(path, "a table of its kind", error) from error


def _rows_of(text: io.StringIO, columns: Collection[str]) -> Iterator[dict[str, str]]:
    lines = csv.reader(text)
    head = next(lines, [])
    missing = [name for name in columns if name not in head]
    if missing:
        raise ValueError(f"it has no column {', '.join(missing)}")
    for fields in lines:
        if len(fields) not in {0, len(head)}:
            raise ValueError(
                f"line {lines.line_num} has {len(fields)} fields in place of {len(head)}"
            )
        if fields:
            yield dict(zip(head, fields, strict=True))


@contextmanager
def as_recorded(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the values in a record into an error that names its file.

    Raises:
        UnreadableFile: a value inside is missing or of another kind than this program writes.
    """
    try:
        yield
    except (PlumblineError, OSError):
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise UnreadableFile(
            path,
            f"holds what this program does not write ({_in_short(repr(error))})",
            "restore it from git, or remove it",
        ) from error


def _in_short(cause: object) -> str:
    line = " ".join(str(cause).split())
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"


def _not_in_form(path: Path, form: str, cause: object) -> UnreadableFile:
    remedy = "restore it, correct it or remove it"
    return UnreadableFile(path, f"is not {form}: {_in_short(cause)}", remedy)


def _check_kind(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "something else")
        raise UnreadableFile(path, f"is {kind}, not a file", "put a file in its place")


def _check_depth(value: Any) -> None:
    """Raise ValueError where a value is nested too deep, without recursion."""
    level: list[Any] = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {MOST_DEPTH} deep")


def expanded(name: str | Path) -> Path:
    """Return a path whose `~` is the user's home; that of an unknown user stays as it is."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - that of pathlib raises for the unknown


def resolved(name: str | Path) -> Path:
    """Return the absolute path of `expanded` without links; a link to itself stays as it is."""
    return Path(os.path.realpath(expanded(name)))
