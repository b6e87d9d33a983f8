"""What an agent did to its files is inspected file by file; other changes are breaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from self_improve.iteration.implementing import confinement
from self_improve.iteration.implementing.implementer import Assignment

FILES = {"p/own.py": "A = 1\n", "p/other.py": "B = 2\n"}
ASSIGNMENT = Assignment(key="k", instructions="", files=FILES, writable=("p/own.py",))
Do = Callable[[Path], object]


def after(room: Path, done: Do) -> tuple[dict[str, str], list[str]]:
    """Return the result of an inspection after an agent has done something."""
    room.mkdir()
    confinement.lay_out(room, FILES)
    done(room)
    return confinement.inspect(room, ASSIGNMENT)


def test_only_what_may_be_changed_is_taken(tmp_path: Path) -> None:
    """The new text comes back whole, and bytecode is not a breach."""

    def done(room: Path) -> None:
        (room / "p/own.py").write_text("A = 'é'\r\n", newline="")
        (room / "p/__pycache__").mkdir()
        (room / "p/__pycache__/own.pyc").write_bytes(b"\0")

    assert after(tmp_path / "room", done) == ({"p/own.py": "A = 'é'\r\n"}, [])


def test_nothing_done_is_nothing_changed(tmp_path: Path) -> None:
    """Touching a file is not a change."""
    assert after(tmp_path / "room", lambda room: (room / "p/own.py").touch()) == ({}, [])


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (lambda room: (room / "p/other.py").write_text("B = 3\n"), "p/other.py was changed"),
        (lambda room: (room / "p/other.py").unlink(), "p/other.py was deleted"),
        (lambda room: (room / "p/own.py").unlink(), "p/own.py was deleted"),
        (lambda room: (room / "new.py").write_text(""), "the new file new.py was created"),
        (lambda room: (room / "p/own.py").chmod(0o755), "p/own.py became executable"),
        (lambda room: (room / "run").touch(mode=0o755), "the program run was created"),
        (lambda room: (room / ".git").mkdir(), "the new file .git was created"),
        (lambda room: (room / ".env").write_text("x"), "the new file .env was created"),
        (lambda room: (room / "p/own.py").write_bytes(b"\xff"), "p/own.py is not text"),
        (lambda room: (room / "link").symlink_to("/etc"), "the link link was created"),
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
        file = room / "p/own.py"
        file.unlink()
        if hard:
            file.hardlink_to(secret)
        else:
            file.symlink_to(secret)

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
    assert "the link p was created" in breaches
    assert "p/own.py was deleted" in breaches
