"""Damages files as people, kills, other programs and attackers do, drawn by a seed."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import re
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**9, 10**18, 10**400, -(10**400), 1e308, float("inf"),
    float("-inf"), float("nan"), 0.1, "", " ", "²", "x", "0", "-1", "1e400", "\ud800", "a\udfffb",
    "\x00", "\x1b]8;;http://x\x07y\x1b]8;;\x07", "\x9b31m", "\u202eabc\u2066", "\u200b",
    "~nosuch/x", "../../../etc/passwd", "/dev/zero", "/", ".", "..", "y" * 300, "z" * 100_000, "{",
    "[[", "a\nb", "=cmd()", "1:30", "0o17", "2026-99-99", [], {}, [[]], {"": ""}, [None] * 3,
    ["\ud800"], {"x": {"y": [1]}},
)  # fmt: skip
ODD_SCALARS = (
    "1:30", "0o17", "017", "0x_", "0b_", "2026-02-30", "2026-12-01", "2026-99-99T99:99:99", ".inf",
    "-.inf", ".nan", "nan", "inf", "~", "yes", "null", "1e400", "9" * 400, "9" * 5000, "''", '"',
    "'", "&a [*a]", "*a", "!!int x", "!!binary x", "!!python/object:os.system x", "<<: 1", "{", "[",
    "[" * 5000, "{a: " * 300, "- - - -", "? a", "|", ">", "%", "@", "`", "\t", "true", "1_000",
    "[1, 2", '"\\ud800"', "'''", '"""', "{}", "[]", "[[1]]", "-1", "0", "1979-05-27T07:32:00Z", "²",
)  # fmt: skip
_BOMB = (
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
    "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
)

Mutation = Callable[[bytes, random.Random], bytes]


def damaged(data: bytes, name: str, draw: random.Random) -> bytes:
    """Return the content of a file called `name` with one to three changes."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        data = draw.choice(_fitting(name))(data, draw)
    return data


def _fitting(name: str) -> list[Mutation]:
    kinds: dict[str, list[Mutation]] = {
        ".json": [_json] * 8, ".jsonl": [_json_line] * 8, ".csv": [_fields] * 6,
        ".toml": [_scalar] * 6, ".yaml": [_scalar] * 6, ".md": [_scalar] * 2,
        ".zip": [_members] * 4,
    }  # fmt: skip
    return [*_BYTES, *kinds.get(Path(name).suffix, [])]


def _json(data: bytes, draw: random.Random) -> bytes:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _flip(data, draw)
    return json.dumps(_with_oddity(value, draw)).encode()


def _json_line(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    if not lines[0]:
        return json.dumps({"name": draw.choice(ODD_VALUES[:40])}).encode() + b"\n"
    at = draw.choice([number for number, line in enumerate(lines) if line])
    lines[at] = _json(lines[at], draw)
    return b"\n".join(lines)


def _with_oddity(value: Any, draw: random.Random) -> Any:
    """Return a JSON value in which one part, at any depth, is missing, odd or there twice."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []
    rest = [value]
    while rest:
        one = rest.pop()
        if not isinstance(one, dict | list):
            return draw.choice(ODD_VALUES)
        inner = one.items() if isinstance(one, dict) else enumerate(one)
        for key, part in inner:
            places.append((one, key))
            if isinstance(part, dict | list):
                rest.append(part)
    if not isinstance(value, dict | list) or not places or draw.random() < 0.04:
        return draw.choice(ODD_VALUES)
    # The upper parts are what most code reads.
    holder, key = draw.choice(places[: draw.choice((12, len(places)))])
    match draw.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[draw.choice(("", "²", "x", "\x1b[31m", "\ud800"))] = holder[key]
        case 2:
            nested: Any = holder[key]
            for _ in range(draw.choice((1, 150, 190))):
                nested = [nested]
            holder[key] = nested
        case _:
            holder[key] = draw.choice(ODD_VALUES)
    return value


def _scalar(data: bytes, draw: random.Random) -> bytes:
    """Replace one value of a TOML or YAML file by an odd one, or repeat or drop a line."""
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    match draw.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, draw.choice(lines))
        case 2:
            lines[at] = b" " * draw.randrange(5) + lines[at].lstrip()
        case 3:
            lines.insert(at, _BOMB.encode())
        case _:
            odd = draw.choice(ODD_SCALARS).encode()
            content = [n for n, line in enumerate(lines) if re.search(rb"[:=] *\S", line)] or [at]
            at = draw.choice(content)
            lines[at] = re.sub(rb"([:=] *).*", lambda match: match[1] + odd, lines[at], count=1)
    return b"\n".join(lines)


def _fields(data: bytes, draw: random.Random) -> bytes:
    lines = data.decode("utf-8", "replace").split("\n")
    at = draw.randrange(len(lines))
    cells = lines[at].split(",")
    where = draw.randrange(len(cells))
    match draw.randrange(4):
        case 0:
            del cells[where]
        case 1:
            cells.insert(where, "more")
        case 2:
            cells[where] = '"' + cells[where]
        case _:
            cells[where] = str(draw.choice(ODD_VALUES)).replace("\n", " ")
    lines[at] = ",".join(cells)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _members(data: bytes, draw: random.Random) -> bytes:
    """Add a member to a zip that no plan should have."""
    out = io.BytesIO(data)
    name = draw.choice(
        ("../x", "/x", "a\\b", "C:x", "x" * 300, "p/x\x1b[31m", "p/.git/config", "p/" * 60 + "x",
         "p/ﬁ", "p/FI", "__MACOSX/x", "p/²", "", "p/x/", "p/plan.txt", "p/a\u202eb")
    )  # fmt: skip
    info = zipfile.ZipInfo(name or "x")
    info.external_attr = draw.choice((0o100644, 0o120777, 0o010644, 0o060644, 0)) << 16
    content = draw.choice((b"", b"x", b"\0" * 20_000_000, b"[" * 100_000))
    try:
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(info, content, draw.choice((0, 8, 12, 14)))
    except (zipfile.BadZipFile, ValueError):
        return _flip(data, draw)
    return out.getvalue()


def _flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(draw.choice((1, 2, 20))):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _doubled(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data + data[at:]


def _inserted(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    odd = (
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\x1b[31m",
        b"[" * 3000,
        b'"',
        b"\n",
        b"\r",
        b"\xc2\x85",
    )
    return data[:at] + draw.choice(odd) + data[at:]


def _encoded(data: bytes, draw: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(
        draw.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig", "cp037")), "replace"
    )


def _replaced(data: bytes, draw: random.Random) -> bytes:
    return draw.choice(
        (b"", b"\n", b"{}", b"[]", b"null", b"0", b'""', b"\xef\xbb\xbf", b"[" * 200_000,
         b'{"a":' * 100_000, b"9" * 10_000, b"a" * 1_000_000, b"\0" * 100_000,
         b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", _BOMB.encode())
    )  # fmt: skip


_BYTES: list[Mutation] = [_flip, _cut, _cut, _doubled, _inserted, _encoded, _replaced]


def put_other_kind(path: Path, draw: random.Random) -> str:
    """Put something that is not a regular file in the place of `path`, and return what."""
    kind = draw.choice(("fifo", "directory", "loop", "zero", "null", "socket", "nothing", "tty"))
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "socket":
            # A long path does not fit into an address.
            here = os.open(path.parent, os.O_RDONLY)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(f"/proc/self/fd/{here}/{path.name}")
            os.close(here)
        case "zero" | "null" | "tty":
            path.symlink_to(f"/dev/{kind}")
    return kind
