"""Files that anybody may have written: read in bounds, or refused by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from model_gateway.errors import PlumblineError
from model_gateway.foreign_files import (
    UnreadableFile,
    as_recorded,
    cause_of,
    expanded,
    json_of,
    read_bytes,
    read_json,
    read_json_object,
    read_table,
    read_text,
    read_toml,
    resolved,
    yaml_in,
    yaml_of,
)
from model_gateway.jsonl import Appender, read_rows

READERS: list[Callable[[Path], object]] = [
    read_bytes, read_text, read_json, read_toml, read_rows,
    lambda path: yaml_in(path, read_bytes(path)),
    lambda path: list(read_table(path, ["a"])),
]  # fmt: skip


def fifo(path: Path) -> None:
    """Create a FIFO, at which an ordinary reader would wait for ever."""
    os.mkfifo(path)


def bound(path: Path) -> None:
    """Create a socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def endless(path: Path) -> None:
    """Create a link to a device that never ends."""
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("make", [fifo, bound, endless, Path.mkdir])
def test_what_is_no_file_is_refused_at_once(
    read: Callable[[Path], object], make: Callable[[Path], None], tmp_path: Path
) -> None:
    """By its name and kind, in one line."""
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(UnreadableFile, match=r"odd is an? .*, not a file; put a file") as raised:
        read(path)
    assert isinstance(raised.value, PlumblineError)
    assert "\n" not in str(raised.value)
    assert cause_of(raised.value).startswith("it is a")


def test_link_to_itself_is_an_error_of_the_system(tmp_path: Path) -> None:
    """As a missing file is; neither is a traceback of `pathlib`."""
    path = tmp_path / "loop"
    path.symlink_to(path)
    assert resolved(path) == path
    with pytest.raises(OSError, match="Too many levels"):
        read_text(path)


def test_home_of_nobody_is_a_name_like_any_other() -> None:
    """`~nosuch/x` does not exist, and its reader says so."""
    assert expanded("~nosuch/x") == Path("~nosuch/x")
    assert expanded("~/x") == Path.home() / "x"


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_name_that_no_file_has_is_refused(name: str, tmp_path: Path) -> None:
    """Records may hold such names."""
    with pytest.raises(UnreadableFile, match="is not a file name"):
        read_text(tmp_path / name)


def test_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A file with a hole takes no room on the disk, and would take all memory."""
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(10**12)
    for read in READERS:
        with pytest.raises(UnreadableFile, match=r"large\.json has more than"):
            read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "shift_jis"])
def test_other_encodings_are_named(encoding: str, tmp_path: Path) -> None:
    """With the place of the first wrong byte."""
    path = tmp_path / "a.txt"
    path.write_bytes("計 é 画".encode(encoding, "replace") + "é".encode("latin-1"))
    with pytest.raises(UnreadableFile, match=r"a\.txt is not UTF-8 \(byte \d+\); save it"):
        read_text(path)


def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Neither are the line ends of another system."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc")
    assert read_text(path) == "a\nb\nc"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"a":' * 100_000, "[" * 250 + "]" * 250, "9" * 5000, "\x00", "{}x",
     '["\\ud800",' + "[" * 250 + "]" * 251],
)  # fmt: skip
def test_json_that_is_broken_or_deep_is_a_value_error(text: str, tmp_path: Path) -> None:
    """Never an error of recursion, here or in code that walks the value."""
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the parser's
        json_of(text)
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.json is not JSON: .*; restore it"):
        read_json(path)


def test_json_of_models_is_taken() -> None:
    """Half a surrogate pair, and what is deep but not too deep."""
    assert json_of(b'["\\ud800"]') == ["\ud800"]
    assert json_of("[" * 150 + "]" * 150)


def test_object_is_wanted_where_one_is_written(tmp_path: Path) -> None:
    """Any other JSON was written by somebody else."""
    path = tmp_path / "a.json"
    path.write_text("[1]")
    with pytest.raises(UnreadableFile, match="does not hold a JSON object"):
        read_json_object(path)


BOMB = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (BOMB, "a reference"), ("a: !!int x", "a tag"), ("a: !!python/object:os.system x", "a tag"),
        ("a: 2026-99-99", "month must be"), ("a: 0x_", "invalid literal"), ("a: 0b_", "invalid"),
        ("[" * 5000, "too deep"), ("{a: " * 5000, "too deep"), ("- " * 5000, "too deep"),
        ("<<: 1", "merging"), ("? {a: b}\n: c", "unhashable"), ("a\n---\nb", "another document"),
        ("a: \x00", "special characters"), ("a: [", "expected"), ("'\ud800'", "surrogate"),
        ("x" * 300_000, "more than 250 kB"),
    ],
)  # fmt: skip
def test_yaml_that_is_not_plain_is_refused(text: str, cause: str) -> None:
    """Whatever PyYAML would raise of it, or build from it."""
    with pytest.raises(ValueError, match=cause):
        yaml_of(text)


def test_yaml_says_which_keys_are_there_twice(tmp_path: Path) -> None:
    """YAML itself silently keeps the last."""
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: {c: 1, c: 2}\na: .inf\nd: 1:30\n")
    value, problems = yaml_in(path, path.read_bytes())
    assert value == {"a": float("inf"), "b": {"c": 2}, "d": 90}
    assert sorted(problems) == ["line 1: 'a' is there twice", "line 2: 'c' is there twice"]


@pytest.mark.parametrize("text", ["a = ", "a = " + "[" * 5000, "a = 1\na = 2", "a." * 300 + "b=1"])
def test_toml_that_is_broken_or_deep_is_refused(text: str, tmp_path: Path) -> None:
    """By name."""
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.toml is not TOML"):
        read_toml(path)


@pytest.mark.parametrize(
    ("text", "cause"),
    [("a,b\n1\n", "line 2 has 1 fields"), ("a,b\n1,2,3\n", "line 2 has 3"),
     ("b\n1\n", "no column a"), ("", "no column a"), ("a\n" + "x" * 200_000, "field limit"),
     ("a\n\udc80", "can't decode")],
)  # fmt: skip
def test_table_with_other_rows_than_its_head_is_refused(
    text: str, cause: str, tmp_path: Path
) -> None:
    """A short row would shift no value into another column, and is named all the same."""
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnreadableFile, match=rf"a\.csv is not a table of its kind: .*{cause}"):
        list(read_table(path, ["a"]))


def test_rows_that_are_deep_or_no_objects_are_torn(tmp_path: Path) -> None:
    """The others are read."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n[1]\n' + "[" * 100_000 + '\n{"a": 2}\n{"a"')
    assert read_rows(path) == ([{"a": 1}, {"a": 2}], 3)


def test_nothing_is_appended_to_what_is_no_file(tmp_path: Path) -> None:
    """A FIFO would take rows until it is full, and keep none."""
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(UnreadableFile, match=r"a\.jsonl is not a regular file"):
        Appender(tmp_path / "a.jsonl")


@pytest.mark.parametrize("error", [KeyError("a"), TypeError("a"), OverflowError("a"), ValueError()])
def test_record_with_odd_values_is_named(error: Exception) -> None:
    """Whatever its reader stumbled over."""
    with pytest.raises(UnreadableFile, match=r"r\.json holds what this program does not write"):  # noqa: SIM117 - the block is what is tested
        with as_recorded(Path("r.json")):
            raise error


def test_bug_in_other_code_stays_a_bug() -> None:
    """Only what odd values cause is about the file."""
    with pytest.raises(NameError), as_recorded(Path("r.json")):
        raise NameError
