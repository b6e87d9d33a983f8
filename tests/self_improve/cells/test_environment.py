"""The environment of cells: what is allowed gets in, and no key by any name."""

from __future__ import annotations

from pathlib import Path

import pytest

from self_improve.cells import environment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "sk-1"), ("DATABASE_URL", "postgres://me:pw@db/x"), ("GH_PAT", "ghp_1"),
        ("NPM_AUTH", "x"), ("AWS_SESSION", "x"), ("https_proxy", "http://me:pw@proxy:1"),
        ("OPENAI_BASE_URL", "https://me:pw@host/v1"), ("SOMETHING_NEW", "x"),
        ("MODEL_GATEWAY", "/run/gw/1"), ("LD_PRELOAD", "/x.so"),
    ],
)  # fmt: skip
def test_what_no_list_knows_stays_outside(name: str, value: str) -> None:
    """Names of keys cannot all be known, so only what is known to be none gets in."""
    assert environment.of_cells({name: value, "LANG": "de_DE.UTF-8"}) == {"LANG": "de_DE.UTF-8"}


def test_what_programs_need_gets_in() -> None:
    """Language, paths, threads and certificates are the user's."""
    needed = {
        "PATH": "/bin", "LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1",
        "SSL_CERT_FILE": "/c.pem", "HOME": "/home/me",
    }  # fmt: skip
    assert environment.of_cells(needed) == needed


def test_a_host_names_more_but_no_key() -> None:
    """What it names gets in, unless it is called like a key or holds a password."""
    variables = {"DATA_DIR": "/d", "MY_TOKEN": "x", "DSN": "redis://u:p@h", "OTHER": "1"}
    named = ("DATA_DIR", "MY_TOKEN", "DSN")
    assert environment.of_cells(variables, named=named) == {"DATA_DIR": "/d"}


def test_an_allowed_variable_with_a_password_stays_outside() -> None:
    """An address with a user is a key wherever it stands."""
    assert environment.of_cells({"PYTHONPATH": "https://me:pw@host/simple"}) == {}


def test_confined_code_is_at_home_in_its_room(tmp_path: Path) -> None:
    """Home and temporary files are in the room; libraries are not preloaded from elsewhere."""
    variables = {"HOME": "/root", "TMPDIR": "/t", "LD_LIBRARY_PATH": "/x", "LANG": "C"}
    home = environment.at_home(variables, tmp_path)
    assert (home["HOME"], home["TMPDIR"], home["LANG"]) == (str(tmp_path), str(tmp_path), "C")
    assert "LD_LIBRARY_PATH" not in home
