"""The one place that knows keys: it removes them from texts, and finds them in files.

A key is recognized as it is, escaped in any of the usual ways (JSON, URLs, HTML, shells, one inside
the other), in hexadecimal, and in base64, also as a part of a longer base64 text. A key that was
cut in two, encrypted or compressed is not recognized.
"""

from __future__ import annotations

import json
import os
import re
import string
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from model_gateway.escapes import Escapes

_SECRET_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL"
    r"|(?:^|[_-])(?:AUTH|AUTHORIZATION|BEARER|PASS|PASSPHRASE|PAT)(?:[_-]|$)|[_-]PWD$",
    re.IGNORECASE,
)
_SETTING_NAME = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|key|token|secret|password|passwd|credentials?|auth|authorization)$",
    re.IGNORECASE,
)
_SETTING_VALUE = re.compile(r"(?:\w+ )?[!-~]{12,}")
_USER_IN_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://([^/\s?#@]+)@")
_KEY_LIKE = re.compile(
    r"\b(?:sk-(?:ant-|or-|proj-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|github_pat_[A-Za-z0-9_]{30,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}"
    r"|xox[abprs]-[A-Za-z0-9-]{20,})|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_LINE_OF_A_KEY = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_IN_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_BASE64 = string.ascii_letters + string.digits + "+/_-"
_LONGEST_BEFORE = 4096
_PLACEHOLDERS = {
    "ollama", "lm-studio", "sk-no-key-required", "no-key-required", "no-key-needed", "not-needed",
    "not-required", "placeholder", "changeme", "password", "postgres",
}  # fmt: skip
_SHORTEST_NAMED = 6
_SHORTEST_GUESSED = 12
_SHORTEST_ALONE = 16
_SHORTEST_BASE64 = 8
HIDDEN = "[key hidden]"


def is_secret_name(name: str) -> bool:
    """Whether an environment variable of this name may hold a key."""
    return bool(_SECRET_NAME.search(name))


def holds_password(value: str) -> bool:
    """Whether `value` holds an address with a user name and a password in it."""
    return any(":" in match[1] for match in _USER_IN_URL.finditer(value))


def without_keys(environment: Mapping[str, str], *, also: Iterable[str] = ()) -> dict[str, str]:
    """Return `environment` without the variables that hold keys, for a child that needs none."""
    named = set(also)
    return {
        name: value
        for name, value in environment.items()
        if name not in named and not is_secret_name(name) and not holds_password(value)
    }


def secrets_in(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield the keys that stand in settings themselves: the name of the setting, and the key.

    These are texts under names such as `api_key`, and user names and passwords in addresses.
    """
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            if isinstance(value, str):
                yield from ((str(name), secret) for secret in _secrets_of(str(name), value))
            else:
                yield from ((f"{name}.{inner}", one) for inner, one in secrets_in(value))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from secrets_in({"": value})


def _secrets_of(name: str, value: str) -> Iterator[str]:
    if _SETTING_NAME.search(name) and _SETTING_VALUE.fullmatch(value):
        yield value
    yield from _in_addresses(value)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A key in a text: the variable or setting that holds it, how it is written, and the line."""

    name: str
    form: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line}: {self.name}, {self.form}"


@dataclass(frozen=True, kw_only=True)
class _Needle:
    text: str
    name: str
    form: str


class Redactor:
    """Finds every known key in a text, and replaces it.

    Keys are the values of the environment variables in `names`, and of every variable whose name
    looks like a key's and whose value is long enough; the passwords in addresses that variables
    hold; and `settings`, which are keys by the names of their settings.
    """

    def __init__(
        self, names: Iterable[str] = (), *, settings: Iterable[tuple[str, str]] = ()
    ) -> None:
        secrets: dict[str, str] = {}
        for name in names:
            _add(secrets, name, os.environ.get(name, ""), _SHORTEST_NAMED)
        for name, value in os.environ.items():
            if is_secret_name(name) and not _is_path(value):
                _add(secrets, name, value, _SHORTEST_GUESSED)
            for secret in _in_addresses(value):
                _add(secrets, name, secret, _SHORTEST_NAMED)
        for name, value in settings:
            _add(secrets, name, value, _SHORTEST_NAMED)
        self._escapes = Escapes(secrets)
        self._needles = _needles(secrets, self._escapes)

    def __call__(self, text: str) -> str:
        """Return `text` with every key replaced."""
        spans = sorted((start, end) for start, end, _ in self._spans(text))
        if not spans:
            return text
        parts, at = [], 0
        for start, end in spans:
            if start >= at:
                parts += [text[at:start], HIDDEN]
            at = max(at, end)
        return "".join([*parts, text[at:]])

    def value(self, value: Any) -> Any:
        """Return a JSON value with every key in its texts replaced, and those under key names."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(str(name)): self._setting(str(name), one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value

    def check(self, data: str | bytes) -> list[Finding]:
        """Return what must not leave this machine: known keys, and texts of the form of a key."""
        text = data if isinstance(data, str) else _text_of(data)
        findings = [
            Finding(name=needle.name, form=needle.form, line=text.count("\n", 0, start) + 1)
            for start, _, needle in sorted(self._spans(text), key=lambda span: span[0])
        ]
        findings += [
            Finding(
                name="a text that looks like a key", form="as it is",
                line=text.count("\n", 0, match.start()) + 1,
            )
            for match in _KEY_LIKE.finditer(text)
        ]  # fmt: skip
        return list(dict.fromkeys(findings))

    def _setting(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and next(_secrets_of(name, value), None) == value:
            return HIDDEN
        return self.value(value)

    def _spans(self, text: str) -> Iterator[tuple[int, int, _Needle]]:
        """Yield where a key begins and ends, longer ones first."""
        if not self._needles:
            return
        for layer in self._escapes.layers(text):
            for needle in self._needles:
                start = layer.text.find(needle.text)
                while start >= 0:
                    end = start + len(needle.text)
                    if needle.form == "base64":
                        start, end = _whole_base64(layer.text, start, end)
                    yield *layer.origin(start, end), needle
                    start = layer.text.find(needle.text, end)


def _add(secrets: dict[str, str], name: str, value: str, shortest: int) -> None:
    """Add a key and what counts as one by itself: the part after a scheme, a line."""
    if value.lower() in _PLACEHOLDERS:
        return
    lines = value.splitlines()
    parts = [value, value.strip()]
    if len(lines) > 1:
        parts += [line for line in map(str.strip, lines) if _LINE_OF_A_KEY.fullmatch(line)]
    elif value.strip().count(" ") == 1:
        parts += [part for part in value.split() if len(part) >= _SHORTEST_GUESSED]
    for part in parts:
        if len(part) >= shortest and part.strip():
            secrets.setdefault(part, name)


def _in_addresses(value: str) -> Iterator[str]:
    """Yield the passwords in addresses, alone and with their users, and tokens in their place."""
    for match in _USER_IN_URL.finditer(value):
        user, colon, password = match[1].partition(":")
        if colon:
            # A password that is its user's name is a default, and a word like any other.
            secrets = [match[1], *((password,) if password != user else ())]
        else:
            secrets = [user] if len(user) >= _SHORTEST_ALONE else []
        for secret in secrets:
            for one in {secret, unquote(secret)}:
                if len(one) >= _SHORTEST_NAMED:
                    yield one


def _is_path(value: str) -> bool:
    """Whether a value that stands under the name of a key is the path of a file."""
    if value.startswith(("~/", "./", "../")):
        return True
    parts = value.split("/")
    return value.startswith("/") and os.path.isdir(f"/{parts[1]}")  # noqa: PTH112 - never raises


def _needles(secrets: Mapping[str, str], escapes: Escapes) -> list[_Needle]:
    """Return every text that gives a key away, the longest first."""
    forms: dict[str, _Needle] = {}
    for secret, name in secrets.items():
        data = secret.encode("utf-8", "surrogateescape")
        texts = [(secret, "as it is"), (escapes.plain(secret), "as it is")]
        texts += [(data.decode("latin-1"), "as it is")]  # what undoing %C3%A9 gives
        texts += [(_in_utf_16(secret), "as it is")]
        texts += [(data.hex(), "hexadecimal"), (data.hex().upper(), "hexadecimal")]
        quoted = json.dumps(secret, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
        texts += [(core, "base64") for whole in {data, quoted} for core in _base64_cores(whole)]
        for text, form in texts:
            if len(text) >= _SHORTEST_NAMED:
                forms.setdefault(text, _Needle(text=text, name=name, form=form))
    return sorted(forms.values(), key=lambda needle: -len(needle.text))


def _in_utf_16(text: str) -> str:
    """Return `text` with two surrogates for each character that JSON escapes as two."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(a << 8 | b) for a, b in zip(units[::2], units[1::2], strict=True))


def _base64_cores(data: bytes) -> Iterator[str]:
    """Yield the part of each base64 text of `data` that does not depend on its neighbours."""
    for shift in range(3):
        text = b64encode(b"\0" * shift + data).decode()
        first = -(-shift * 8 // 6)
        last = (shift + len(data)) * 8 // 6
        core = text[first:last]
        if len(core) >= _SHORTEST_BASE64:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _whole_base64(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the whole base64 text around a part of it: the rest holds bits of the key, too."""
    before = text[max(0, start - _LONGEST_BEFORE) : start]
    after = _IN_BASE64.match(text, end)
    begin = start - len(before) + len(before.rstrip(_BASE64))
    return begin, (after.end() if after else end)


def _text_of(data: bytes) -> str:
    """Return the text of a file; without the zero bytes that UTF-16 puts between letters."""
    if b"\0" in data:
        data = data + b"\n" + data.replace(b"\0", b"")
    return data.decode("utf-8", "replace")
