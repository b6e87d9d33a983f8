"""What an agent did to its files is looked at, file by file; nothing beyond them is taken over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from self_improve.iteration.implementing import confinement
from self_improve.iteration.implementing.implementer import Assignment

FILES = {"p/own.py": "A = 1\n", "p/other.py": "B = 2\n"}
ORDERED = Assignment(key="k", instructions="", files=FILES, writable=("p/own.py",))
Do = Callable[[Path], object]


def after(room: Path, done: Do) -> tuple[dict[str, str], list[str]]:
    """Return what is found after an agent has done something."""
    room.mkdir()
    confinement.lay_out(room, FILES)
    done(room)
    return confinement.found_in(room, ORDERED)


def test_only_what_may_be_changed_is_taken(tmp_path: Path) -> None:
    """The new text comes back whole, and bytecode is no breach."""

    def done(room: Path) -> None:
        (room / "p/own.py").write_text("A = 'é'\r\n", newline="")
        (room / "p/__pycache__").mkdir()
        (room / "p/__pycache__/own.pyc").write_bytes(b"\0")

    assert after(tmp_path / "room", done) == ({"p/own.py": "A = 'é'\r\n"}, [])


def test_nothing_done_is_nothing_changed(tmp_path: Path) -> None:
    """Touching a file is no change."""
    assert after(tmp_path / "room", lambda room: (room / "p/own.py").touch()) == ({}, [])


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (lambda room: (room / "p/other.py").write_text("B = 3\n"), "p/other.py was changed"),
        (lambda room: (room / "p/other.py").unlink(), "p/other.py was deleted"),
        (lambda room: (room / "p/own.py").unlink(), "p/own.py was deleted"),
        (lambda room: (room / "new.py").write_text(""), "the new file new.py was made"),
        (lambda room: (room / "p/own.py").chmod(0o755), "p/own.py may be run now"),
        (lambda room: (room / "run").touch(mode=0o755), "the program run was made"),
        (lambda room: (room / ".git").mkdir(), "the new file .git was made"),
        (lambda room: (room / ".env").write_text("x"), "the new file .env was made"),
        (lambda room: (room / "p/own.py").write_bytes(b"\xff"), "p/own.py is no text"),
        (lambda room: (room / "link").symlink_to("/etc"), "the link link was made"),
    ],
)
def test_whatever_goes_beyond_is_a_breach(tmp_path: Path, done: Do, said: str) -> None:
    """It is named by file."""
    [breach] = after(tmp_path / "room", done)[1]
    assert said in breach


@pytest.mark.parametrize("hard", [False, True])
def test_link_in_place_of_a_file_is_not_followed(tmp_path: Path, *, hard: bool) -> None:
    """What it leads to is never taken over, whichever kind of link it is."""
    secret = tmp_path / "secret"
    secret.write_text("hidden")

    def done(room: Path) -> None:
        own = room / "p/own.py"
        own.unlink()
        if hard:
            own.hardlink_to(secret)
        else:
            own.symlink_to(secret)

    assert after(tmp_path / "room", done) == ({}, ["p/own.py became a link"])


def test_link_in_place_of_a_directory_is_not_entered(tmp_path: Path) -> None:
    """Files behind it do not count as those that were given."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/own.py").write_text("A = 5\n")

    def done(room: Path) -> None:
        (room / "p").rename(tmp_path / "gone")
        (room / "p").symlink_to(tmp_path / "elsewhere")

    changed, breaches = after(tmp_path / "room", done)
    assert changed == {}
    assert "the link p was made" in breaches
    assert "p/own.py was deleted" in breaches
