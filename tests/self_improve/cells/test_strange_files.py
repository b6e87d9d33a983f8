"""What is read and written where strangers write."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from self_improve.cells import strange_files
from self_improve.cells.strange_files import TooMuchError


def test_links_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    """None of them is followed, and nobody waits for a pipe."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "plan"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "elsewhere").symlink_to(tmp_path)
    with strange_files.opened(tmp_path, "plan") as plan:
        assert strange_files.listed(plan) == []
        for name in ("link", "pipe", "folder"):
            with pytest.raises(OSError, match=r"."):
                strange_files.read(plan, name, 100)
        with pytest.raises(OSError, match=r"."):
            strange_files.copy(plan, "elsewhere/secret", tmp_path / "copy")
    with pytest.raises(OSError, match=r"."), strange_files.opened(tmp_path, "plan", "elsewhere"):
        pass


def test_files_are_created_listed_and_copied(tmp_path: Path) -> None:
    """Folders are made on the way; a file that exists is never written over."""
    with strange_files.opened(tmp_path) as folder:
        strange_files.create(folder, "parts/a/1.txt", b"one")
        strange_files.create(folder, "b.txt", b"two")
        assert [name for name, _ in strange_files.listed(folder)] == ["b.txt", "parts/a/1.txt"]
        digest = strange_files.copy(folder, "parts/a/1.txt", tmp_path / "copy")
        with pytest.raises(FileExistsError):
            strange_files.create(folder, "b.txt", b"three")
    assert digest == hashlib.sha256(b"one").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b"one"


def test_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    """A log's last words are what matters."""
    (tmp_path / "log").write_bytes(b"a" * 100 + b"end")
    with strange_files.opened(tmp_path) as folder:
        assert strange_files.read(folder, "log", 3, tail=True) == b"end"
        assert strange_files.read(folder, "log", 3) == b"aaa"


def test_too_deep_and_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record has bounds; the error says which."""
    deep = tmp_path / "deep"
    deep.joinpath(*["d"] * 40).mkdir(parents=True)
    with strange_files.opened(deep) as folder, pytest.raises(TooMuchError, match="deep"):
        strange_files.listed(folder)
    many = tmp_path / "many"
    many.mkdir()
    for number in range(6):
        (many / str(number)).touch()
    monkeypatch.setattr(strange_files, "MOST_FILES", 5)
    with strange_files.opened(many) as folder, pytest.raises(TooMuchError, match="5 files"):
        strange_files.listed(folder)


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/out", "a//out"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """Names of artifacts are a stranger's, too."""
    inner = tmp_path / "inner"
    inner.mkdir()
    with strange_files.opened(inner) as folder, pytest.raises(OSError, match="leads out"):
        strange_files.create(folder, name, b"x")
    assert not (tmp_path / "out").exists()
