"""Zips from strangers: what is taken, and all that is refused without a trace."""

from __future__ import annotations

import os
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from prompt_lab.errors import LabError
from prompt_lab.unzip import Unpacked, UnzipLimits, unpack
from tests.prompt_lab.conftest import PLAN, make_zip, tree
from tests.prompt_lab.test_lfs import POINTER


def _unpack(archive: Path, **limits: int) -> Unpacked:
    return unpack(archive, archive.parent / "out", called="silo.zip", limits=UnzipLimits(**limits))


def _refused(archive: Path, **limits: int) -> str:
    """Return the message of the refusal, after a look at what it left: nothing."""
    before = tree(archive.parent)
    with pytest.raises(LabError) as caught:
        _unpack(archive, **limits)
    assert tree(archive.parent) == before
    assert not (archive.parent / "out").exists()
    assert str(caught.value).startswith("silo.zip")
    return str(caught.value)


def _patched(archive: Path, *changes: tuple[bytes, bytes]) -> Path:
    data = archive.read_bytes()
    for old, new in changes:
        assert old in data
        assert len(old) == len(new)
        data = data.replace(old, new)
    archive.write_bytes(data)
    return archive


def _with_info(archive: Path, info: zipfile.ZipInfo, content: bytes) -> Path:
    make_zip(archive)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(info, content)
    return archive


def test_honest_plan_comes_out_whole(tmp_path: Path) -> None:
    """Every file has its bytes, also in subfolders, and the counts are right."""
    members = {**PLAN, "notes/a.md": "é", "empty.txt": ""}
    done = _unpack(make_zip(tmp_path / "z.zip", members))
    assert tree(tmp_path / "out") == {name: text.encode() for name, text in members.items()}
    assert (done.files, done.ignored, done.damaged) == (5, (), ())
    assert done.size == sum(len(text.encode()) for text in members.values())


def test_single_top_level_folder_is_taken_off(tmp_path: Path) -> None:
    """A plan zipped as a folder gives the same directory, whatever macOS put beside the folder."""
    members = {
        "silo/": "",
        **{f"silo/{name}": text for name, text in PLAN.items()},
        "__MACOSX/silo/._001-2-plan.txt": "x",
        ".DS_Store": "x",
        "silo/.DS_Store": "x",
    }
    done = _unpack(make_zip(tmp_path / "z.zip", members))
    assert sorted(tree(tmp_path / "out")) == sorted(PLAN)
    assert done.ignored == ("__MACOSX/silo/._001-2-plan.txt", ".DS_Store", "silo/.DS_Store")


def test_names_that_begin_with_a_dot_and_slash_are_taken(tmp_path: Path) -> None:
    """The program bsdtar writes names so; they mean the same."""
    _unpack(make_zip(tmp_path / "z.zip", {f"./{name}": text for name, text in PLAN.items()}))
    assert sorted(tree(tmp_path / "out")) == sorted(PLAN)


def test_unnumbered_plan_text_is_enough(tmp_path: Path) -> None:
    """The newer generation of artifact names calls it plan.txt."""
    assert _unpack(make_zip(tmp_path / "z.zip", {"plan.txt": "\ufeffPlan."})).files == 1


def test_no_file_is_executable(tmp_path: Path) -> None:
    """Permissions in the zip play no part."""
    info = zipfile.ZipInfo("run.sh")
    info.external_attr = (stat.S_IFREG | 0o4777) << 16
    _unpack(_with_info(tmp_path / "z.zip", info, b"#!/bin/sh"))
    assert (tmp_path / "out" / "run.sh").stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("../evil.txt", "leads out"),
        ("a/../../evil.txt", "leads out"),
        ("a/..", "leads out"),
        ("__MACOSX/../../evil.txt", "leads out"),
        ("/etc/evil.txt", "absolute path"),
        ("//server/evil.txt", "absolute path"),
        ("C:evil.txt", "drive letter"),
        ("C:/evil.txt", "drive letter"),
        ("..\\evil.txt", "backslash"),
        ("a\nb.txt", "control characters"),
        ("a\x1b[2Jb.txt", "control characters"),
        ("a\x7fb.txt", "control characters"),
        ("txt.\u202egpj", "control characters"),
        (".git/config", "file of git"),
        ("a/.GIT/hooks/x", "file of git"),
        (".gitignore", "file of git"),
        ("/".join("a" * 40), "nested"),
        ("./.", "no name"),
    ],
)
def test_unsafe_names_are_refused(tmp_path: Path, name: str, cause: str) -> None:
    """The message names the zip, the member and what is wrong with it."""
    message = _refused(make_zip(tmp_path / "z.zip", {**PLAN, name: "x"}))
    assert repr(name) in message
    assert cause in message


def test_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    """Python would cut the name there and hide the rest."""
    archive = make_zip(tmp_path / "z.zip", {**PLAN, "plan.txtXevil.exe": "x"})
    assert "control characters" in _refused(_patched(archive, (b"txtXevil", b"txt\0evil")))


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFIFO, "special file"),
        (stat.S_IFCHR, "special file"),
        (stat.S_IFSOCK, "special file"),
        (stat.S_IFDIR, "disagree on whether it is a folder"),
    ],
)
@pytest.mark.parametrize("system", [0, 3])
def test_special_files_are_refused(tmp_path: Path, kind: int, cause: str, system: int) -> None:
    """Whatever system the zip claims to come from."""
    info = zipfile.ZipInfo("link.txt")
    info.create_system = system
    info.external_attr = (kind | 0o777) << 16
    assert cause in _refused(_with_info(tmp_path / "z.zip", info, b"/etc/passwd"))


def test_encrypted_member_is_refused(tmp_path: Path) -> None:
    """It is named instead of asked for a password."""
    archive = make_zip(tmp_path / "z.zip", {"plan.txt": "x"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert "'plan.txt': encrypted" in _refused(archive)


def test_other_compression_methods_are_refused(tmp_path: Path) -> None:
    """bzip2 and LZMA may take gigabytes of memory before a byte can be counted."""
    archive = tmp_path / "z.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("plan.txt", "x")
    assert "compression method 12" in _refused(archive)


@pytest.mark.parametrize(
    ("one", "two", "cause"),
    [
        ("Notes.md", "notes.md", "differ only in case"),
        ("A/x.md", "a/y.md", "differ only in case"),
        ("caf\u00e9.md", "cafe\u0301.md", "Unicode form"),
        ("a", "a/b.md", "both a file and a folder"),
        ("a/b.md", "a", "both a file and a folder"),
        ("./a.md", "a.md", "two members are called"),
    ],
)
def test_members_that_would_be_one_file_are_refused(
    tmp_path: Path, one: str, two: str, cause: str
) -> None:
    """On a disk that folds case or Unicode forms one would overwrite the other."""
    assert cause in _refused(make_zip(tmp_path / "z.zip", {**PLAN, one: "x", two: "x"}))


def test_duplicate_member_is_refused(tmp_path: Path) -> None:
    """Which of the two is meant cannot be known."""
    archive = make_zip(tmp_path / "z.zip", {**PLAN, "a.md": "x", "b.md": "y"})
    assert "two members are called 'a.md'" in _refused(_patched(archive, (b"b.md", b"a.md")))


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """Several bad members give one message; past ten the rest is counted."""
    members = {**PLAN, **{f"../{n}": "x" for n in range(14)}}
    message = _refused(make_zip(tmp_path / "z.zip", members))
    assert "'../0'" in message
    assert "'../9'" in message
    assert "and 4 more" in message


def test_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    """Twenty megabytes of zeros from twenty kilobytes are not written to the end."""
    archive = make_zip(tmp_path / "z.zip", {**PLAN, "bomb.json": bytes(20_000_000)})
    message = _refused(archive)
    assert "'bomb.json'" in message
    assert "bomb" in message


def test_bomb_is_stopped_by_its_total(tmp_path: Path) -> None:
    """Incompressible data counts as well."""
    noise = random.Random(1).randbytes(300_000)
    archive = make_zip(tmp_path / "z.zip", {**PLAN, "a.bin": noise, "b.bin": noise[::-1]})
    assert "'b.bin'" in _refused(archive, total_bytes=500_000)


def test_bomb_is_stopped_whatever_its_headers_say(tmp_path: Path) -> None:
    """A member that claims to be small is cut there, and its checksum then gives it away."""
    archive = make_zip(tmp_path / "z.zip", {"plan.txt": "x", "bomb.json": bytes(20_000_000)})
    size = struct.pack("<L", 20_000_000)
    assert "'bomb.json' is broken" in _refused(_patched(archive, (size, struct.pack("<L", 9))))


def test_crowd_of_members_is_refused(tmp_path: Path) -> None:
    """More members than any plan has are refused before their names are read."""
    members = {**PLAN, **{f"{n}.md": "" for n in range(100)}}
    assert "103 members" in _refused(make_zip(tmp_path / "z.zip", members), members=100)


def test_member_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    """One flipped byte of content is found."""
    archive = tmp_path / "z.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("plan.txt", "Build a lighthouse.")
        file.writestr("a.md", "0123456789")
    assert "'a.md' is broken" in _refused(_patched(archive, (b"0123456789", b"0123456780")))


def test_truncated_member_is_refused(tmp_path: Path) -> None:
    """Deflated data that ends too early is found."""
    noise = random.Random(1).randbytes(3000).hex()
    archive = make_zip(tmp_path / "z.zip", {"plan.txt": noise})
    data = archive.read_bytes()
    archive.write_bytes(data[:100] + bytes(300) + data[400:])
    assert "'plan.txt' is broken" in _refused(archive)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95, 0.999])
def test_truncated_zip_is_refused(tmp_path: Path, keep: float) -> None:
    """A zip cut off anywhere is not a zip."""
    archive = make_zip(tmp_path / "z.zip")
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * keep)])
    assert "cut off" in _refused(archive)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "it is empty"),
        (b"just text", "not a readable zip"),
        (b"<!doctype html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (os.urandom(2000), "not a readable zip"),
    ],
)
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    """The message says what it seems to be instead."""
    (tmp_path / "z.zip").write_bytes(content)
    assert cause in _refused(tmp_path / "z.zip")


@pytest.mark.parametrize("members", [{}, {"a/": ""}, {".DS_Store": "x"}])
def test_zip_without_files_is_refused(tmp_path: Path, members: dict[str, str]) -> None:
    """Folders and what macOS leaves are not plans."""
    assert "no files" in _refused(make_zip(tmp_path / "z.zip", members))


@pytest.mark.parametrize(
    ("members", "cause"),
    [
        ({"a.md": "x"}, "no plan text"),
        ({"a/plan.txt": "x", "b.md": "x"}, "no plan text"),
        ({"001-2-plan.txt": " \n"}, "001-2-plan.txt is empty"),
        ({"plan.txt": ""}, "plan.txt is empty"),
        ({"plan.txt": b"caf\xe9"}, "plan.txt is not UTF-8 (byte 3)"),
    ],
)
def test_missing_plan_text_is_refused(tmp_path: Path, members: dict[str, str], cause: str) -> None:
    """A plan without a readable prompt can never be run."""
    assert cause in _refused(make_zip(tmp_path / "z.zip", members))


def test_damaged_json_is_named_and_kept(tmp_path: Path) -> None:
    """Steps that do not read it can still run; plain text under such a name is not damage."""
    members = {
        **PLAN,
        "torn.json": '{"a": [1, 2',
        "empty.json": "",
        "latin.json": b'{"a": "\xe9"}',
        "deep.json": "[" * 200_000,
        "torn.jsonl": '{"a": 1}\n{"a"',
        "title.json": "Lighthouse",
        "bom.json": "\ufeff{}",
    }
    done = _unpack(make_zip(tmp_path / "z.zip", members))
    assert done.damaged == ("deep.json", "empty.json", "latin.json", "torn.json", "torn.jsonl")
    assert done.files == len(members)


def test_name_too_long_for_the_disk_is_reported(tmp_path: Path) -> None:
    """The disk's refusal becomes one about the zip and its member."""
    message = _refused(make_zip(tmp_path / "z.zip", {**PLAN, "a" * 300: "x"}))
    assert "File name too long" in message


def test_a_zip_that_holds_pointers_is_refused_by_name(tmp_path: Path) -> None:
    """Nothing of it is stored."""
    members = {"a/plan.txt": "A plan.", "a/raw.json": POINTER.decode()}
    refused = _refused(make_zip(tmp_path / "z.zip", members))
    assert "Git LFS pointers in place of files: raw.json" in refused
    assert "git lfs pull" in refused
