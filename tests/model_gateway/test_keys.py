"""Keys never leave: not into a child's environment and not into any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_gateway.keys import HIDDEN, Redactor, is_secret_name, without_keys

KEY = "sk-live-0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_keys_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOME_KEY", "OTHER_KEY", "PLAIN", "MY_TOKEN", "PATH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("github_token", True),
        ("DB_PASSWORD", True),
        ("AWS_SECRET_ACCESS", True),
        ("GIT_CREDENTIAL", True),
        ("HOME", False),
        ("PATH", False),
        ("PLUMBLINE_MAX_COST", False),
    ],
)
def test_variables_are_known_by_their_names(name: str, *, secret: bool) -> None:
    """A name that says key, token, secret, password or credential holds one."""
    assert is_secret_name(name) is secret


def test_child_gets_no_keys() -> None:
    """What looks like a key is left out, and what a model's entry names as one."""
    environment = {"HOME": "/root", "OPENAI_API_KEY": KEY, "OPENAI_LOGIN": KEY}
    assert without_keys(environment, also=["OPENAI_LOGIN"]) == {"HOME": "/root"}
    assert environment["OPENAI_API_KEY"] == KEY


def test_named_and_guessed_keys_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every occurrence goes, of the entries' keys and of what else looks like one."""
    monkeypatch.setenv("PLAIN", "plain-value-of-an-entry")
    monkeypatch.setenv("MY_TOKEN", "a-guessed-token")
    redact = Redactor(["PLAIN", "NOT_SET"])
    text = redact("plain-value-of-an-entry, a-guessed-token and again a-guessed-token")
    assert text == f"{HIDDEN}, {HIDDEN} and again {HIDDEN}"


def test_key_inside_another_is_taken_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two keys, one the beginning of the other, nothing of the longer one is left."""
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", KEY + "-and-more")
    assert Redactor()(f"{KEY}-and-more {KEY}") == f"{HIDDEN} {HIDDEN}"


def test_what_is_too_short_or_a_path_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Common words and file names are not keys, or every text would be full of holes."""
    monkeypatch.setenv("SOME_KEY", "a")
    monkeypatch.setenv("MY_TOKEN", "none-at-all")
    monkeypatch.setenv("PATH_TOKEN", "/var/run/token-of-mine")
    text = "a none-at-all /var/run/token-of-mine"
    assert Redactor(["SOME_KEY"])(text) == text


def test_key_is_no_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that mean something in a pattern are taken as they are."""
    monkeypatch.setenv("SOME_KEY", "sk.(live)+[0-9]*|$")
    redact = Redactor()
    assert redact("sk.(live)+[0-9]*|$") == HIDDEN
    assert redact("skx(live)") == "skx(live)"


@given(before=st.text(), after=st.text())
def test_no_surroundings_save_a_key(before: str, after: str) -> None:
    """Wherever a key stands in a text, it is gone and the rest is as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_KEY", KEY)
        redact = Redactor()
    assert redact(before + KEY + after) == before + HIDDEN + after
