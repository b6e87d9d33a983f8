"""Keys never leave: not into a child's environment and not into any text."""

from __future__ import annotations

import base64
import html
import json
import shlex
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_gateway.keys import HIDDEN, Redactor, is_secret_name, secrets_in, without_keys

KEY = "sk-live-0123456789abcdef"
PRINTED = st.characters(exclude_categories=["C", "Z"])
ODD = "sk-li/ve\"0123\\456'789ab&cdef+x="
"""A key with every character that some format escapes."""


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


WRITTEN = {
    "as it is": ODD,
    "as JSON": json.dumps(ODD),
    "as JSON in JSON in JSON": json.dumps(json.dumps(json.dumps(ODD))),
    "with escaped slashes": json.dumps(ODD).replace("/", "\\/"),
    "in numbers of JSON": "".join(f"\\u{ord(c):04x}" for c in ODD),
    "in numbers of JSON, in JSON": json.dumps("".join(f"\\u{ord(c):04X}" for c in ODD)),
    "for a URL": quote(ODD, safe=""),
    "twice for a URL": quote(quote(ODD, safe=""), safe=""),
    "for HTML": html.escape(ODD),
    "in numbers of HTML": "".join(f"&#{ord(c)};" for c in ODD),
    "for a shell": shlex.quote(ODD),
    "as Python": repr(ODD),
    "in octal numbers": "".join(f"\\{ord(c):03o}" for c in ODD),
    "in hexadecimal": ODD.encode().hex(),
    "in base64": base64.b64encode(ODD.encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(ODD.encode()).decode().rstrip("="),
    "in base64 of a longer text": base64.b64encode(b"a " + ODD.encode() + b" b").decode(),
    "in base64 of JSON": base64.b64encode(json.dumps({"key": ODD}).encode()).decode(),
    "in base64 in JSON": json.dumps(base64.b64encode(ODD.encode()).decode()).replace("/", "\\/"),
    "in lines of base64": base64.encodebytes(b"x" * 50 + ODD.encode() + b"y").decode(),
}


def written(way: str, text: str) -> str:
    """Return what of `text` could give the key away: its characters that are not of `HIDDEN`."""
    return "".join(c for c in text.replace(HIDDEN, "") if c not in "\\\"'\n") if way else text


@pytest.mark.parametrize("way", WRITTEN)
def test_key_is_found_however_it_is_written(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes of JSON, URLs, HTML, shells and base64 hide no key; the rest stays as it is."""
    monkeypatch.setenv("SOME_KEY", ODD)
    redact = Redactor()
    text = redact(f"(é before) {WRITTEN[way]} (after \\n)")
    assert text.startswith("(é before) ")
    assert text.endswith(" (after \\n)")
    assert written(way, text) == "(é before)  (after n)"


@pytest.mark.parametrize("way", WRITTEN)
def test_nothing_is_left_of_a_key_at_the_end(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a text ends with an escape, all of that escape goes."""
    monkeypatch.setenv("SOME_KEY", ODD)
    assert written(way, Redactor()(f"before {WRITTEN[way]}")).strip() == "before"


@pytest.mark.parametrize("way", WRITTEN)
def test_check_says_where_a_key_is(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding names the variable and the line, never the key."""
    monkeypatch.setenv("SOME_KEY", ODD)
    findings = Redactor().check(f"one\ntwo\n{WRITTEN[way]}\n".encode())
    assert {(finding.name, finding.line) for finding in findings} <= {
        ("SOME_KEY", n) for n in (3, 4)
    }
    assert findings
    assert ODD not in "".join(map(str, findings))


def test_check_finds_keys_of_others() -> None:
    """What has the form of a key is one, also where no variable holds it."""
    texts = ["ghp_" + "a1" * 20, "AKIA" + "A1" * 8, "-----BEGIN RSA PRIVATE KEY-----"]
    assert all(Redactor().check(f"see {text} there") for text in texts)
    assert not Redactor().check("a sketch, ghp_ and sk-short are words")


def test_check_finds_a_key_in_utf_16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are bytes: a key is found in an encoding of two bytes a letter, too."""
    monkeypatch.setenv("SOME_KEY", KEY)
    assert Redactor().check(f"a\n{KEY}".encode("utf-16"))
    assert not Redactor().check(b"\0\xff\xfe nothing \0")


def test_password_in_an_address_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of any variable's address is hidden, also without its escapes, and kept here."""
    monkeypatch.setenv("PLAIN", "postgres://bob:s3cr3t%2Fpw@db.example/x")
    text = Redactor()("s3cr3t/pw, s3cr3t%2Fpw and bob at db.example")
    assert text == f"{HIDDEN}, {HIDDEN} and bob at db.example"
    assert without_keys({"DATABASE_URL": "postgres://bob:s3cr3tpw@db/x", "A": "b"}) == {"A": "b"}


def test_settings_hold_keys_by_their_names() -> None:
    """Keys that stand in an entry itself are known by the names of their settings."""
    options = {
        "api_key": "sk-in-the-entry-1234", "headers": {"Authorization": "Bearer tok-9876543210ab"},
        "urls": ["https://me:passw0rd@host/v1"], "max_tokens": 12,
        "token_budget": "unlimited-words",
    }  # fmt: skip
    redact = Redactor(settings=secrets_in(options))
    said = "sk-in-the-entry-1234 tok-9876543210ab passw0rd unlimited-words"
    assert redact(said) == f"{HIDDEN} {HIDDEN} {HIDDEN} unlimited-words"
    clean = redact.value(options)
    assert clean["api_key"] == HIDDEN
    assert "9876" not in json.dumps(clean)
    assert clean["max_tokens"] == 12


def test_key_in_a_setting_may_have_any_sign() -> None:
    """A password under a key's name is known with its punctuation; a sentence there is none."""
    key = 'p@ss!w$rd{9876}"bc'
    redact = Redactor(settings=secrets_in({"password": key, "token": "the usual words of it"}))
    assert redact(f"{key}, {json.dumps(key)}") == f'{HIDDEN}, "{HIDDEN}"'
    assert redact("the usual words of it") == "the usual words of it"


def test_placeholders_are_words() -> None:
    """What local servers take as a key, such as `ollama`, is not a secret."""
    assert Redactor(settings=[("api_key", "ollama")])("ask ollama") == "ask ollama"


@given(key=st.text(PRINTED, min_size=16).filter(str.strip), before=st.text(), after=st.text())
def test_no_key_survives_json(key: str, before: str, after: str) -> None:
    """Whatever the key's characters, it is gone from JSON inside JSON."""
    redact = Redactor(settings=[("api_key", key)])
    text = redact(json.dumps(json.dumps(before + key + after)))
    assert HIDDEN in text
    assert key not in text


def test_many_escapes_take_time_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply made of escapes is searched as quickly, to the byte, as a short one."""
    monkeypatch.setenv("SOME_KEY", ODD)
    redact = Redactor()
    for piece in ("\\", "%25", "A", "\\u0041", "&amp;", WRITTEN["in base64"] + " "):
        seconds = [_fastest(redact, piece * (size // len(piece))) for size in (20_000, 200_000)]
        assert seconds[1] < 60 * seconds[0], piece


def _fastest(redact: Redactor, text: str) -> float:
    def once() -> float:
        began = time.process_time()
        redact(text)
        return time.process_time() - began

    return min(once() for _ in range(3)) + 1e-4
