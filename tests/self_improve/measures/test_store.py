"""The store of measurements: whatever happens to its file, nothing wrong comes out of it."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from self_improve.measures import store
from self_improve.measures.store import Store
from tests.waiting import LONGEST, until


def test_digest_of_code_covers_folders_with_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new, changed, moved or renamed file counts; bytecode and other patterns do not."""
    package = tmp_path / "house_of_cards"
    (package / "room" / "corner").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "room" / "a.py").write_text("1")
    (package / "hall.py").write_text("1")
    monkeypatch.syspath_prepend(tmp_path)
    seen = set()

    def digest() -> str:
        return store.folders_digest(["house_of_cards/room"], "*.py")

    def is_new() -> bool:
        before = len(seen)
        seen.add(digest())
        return len(seen) > before

    assert is_new()
    (package / "hall.py").write_text("2")
    (package / "room" / "notes.txt").write_text("x")
    (package / "room" / "a.pyc").write_text("x")
    assert not is_new()
    (package / "room" / "a.py").write_text("2")
    assert is_new()
    (package / "room" / "a.py").rename(package / "room" / "b.py")
    assert is_new()
    (package / "room" / "b.py").rename(package / "room" / "corner" / "b.py")
    assert is_new()
    assert store.folders_digest(["house_of_cards/room"]) != digest()
    assert store.folders_digest(["house_of_cards/hall.py"]) != digest()


def test_what_was_put_is_found_by_another(tmp_path: Path) -> None:
    """The last value of a key counts; an unknown key has none."""
    with Store(tmp_path / "in" / "store") as one:
        one.put("a", {"x": 1.5})
        one.put("a", {"x": 2})
    with Store(tmp_path / "in" / "store") as other:
        assert other.get("a") == {"x": 2}
        assert other.get("b") is None


@pytest.mark.parametrize(
    "data", [b"", b"no database at all" * 1000, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_that_is_broken_is_begun_anew(tmp_path: Path, data: bytes) -> None:
    """And kept from then on."""
    path = tmp_path / "store"
    path.write_bytes(data)
    with Store(path) as one:
        assert one.get("a") is None
        one.put("a", 1)
    with Store(path) as other:
        assert other.get("a") == 1


def test_a_page_that_was_overwritten_gives_nothing_wrong(tmp_path: Path) -> None:
    """What does not fit its checksum, or cannot be read, is as good as none."""
    path = tmp_path / "store"
    with Store(path) as one:
        for number in range(200):
            one.put(f"key{number}", {"n": number, "text": "x" * 100})
    data = bytearray(path.read_bytes())
    for start in range(4096 * 2, len(data) - 200, 4096):
        data[start + 100 : start + 150] = b"y" * 50
    path.write_bytes(data)
    with Store(path) as other:
        result = {n: other.get(f"key{n}") for n in range(200)}
        other.put("fresh", 7)
        assert other.get("fresh") == 7
    assert all(v is None or v == {"n": n, "text": "x" * 100} for n, v in result.items())


def test_a_value_that_was_tampered_with_is_none(tmp_path: Path) -> None:
    """Its checksum shows it."""
    path = tmp_path / "store"
    with Store(path) as one:
        one.put("a", [1])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE measures SET value = '[2]'")
    db.close()
    with Store(path) as other:
        assert other.get("a") is None


def test_a_place_that_cannot_be_written_is_gone_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that names the file."""
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING), Store(tmp_path / "file" / "store") as one:
        one.put("a", 1)
        assert one.get("a") is None
    assert "file/store" in caplog.text


def test_a_store_that_grew_too_large_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds nothing that cannot be made again."""
    with Store(tmp_path / "store") as one:
        one.put("a", 1)
    monkeypatch.setattr(store, "_MOST_BYTES", 10)
    with Store(tmp_path / "store") as other:
        assert other.get("a") is None


WRITER = """
import sys
from pathlib import Path
from self_improve.measures.store import Store
with Store(Path(sys.argv[1])) as one:
    for number in range(300):
        one.put(f"{sys.argv[2]}-{number}", number)
"""


def test_several_processes_write_side_by_side(tmp_path: Path) -> None:
    """Nothing is lost."""
    path = tmp_path / "store"
    command = [sys.executable, "-c", WRITER, str(path)]
    processes = [subprocess.Popen([*command, name], cwd=Path(__file__).parents[3]) for name in "ab"]
    assert [process.wait(LONGEST) for process in processes] == [0, 0]
    with Store(path) as one:
        assert all(one.get(f"{name}-{n}") == n for name in "ab" for n in range(300))


def test_a_writer_that_is_killed_leaves_a_sound_store(tmp_path: Path) -> None:
    """What it wrote is whole or not there."""
    path = tmp_path / "store"
    endless = WRITER.replace("range(300)", "__import__('itertools').count()")
    process = subprocess.Popen(
        [sys.executable, "-c", endless, str(path), "a"], cwd=Path(__file__).parents[3]
    )

    def is_under_way() -> bool:
        if not path.exists() or not path.with_name("store-wal").exists():
            return False
        with Store(path) as one:
            return one.get("a-20") == 20

    until(is_under_way, process)
    process.kill()
    process.wait()
    with Store(path) as other:
        assert other.get("a-20") == 20
        other.put("b", 1)
        assert other.get("b") == 1
