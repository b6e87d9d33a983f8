"""Keys that are planted on a site, programs that give them away, and the search for them."""

from __future__ import annotations

import json
import os
import random
import string
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from self_improve.code import git
from self_improve.code.git import GitError
from self_improve.demo import STEP
from self_improve.host import contract
from tools.hostile import forked
from tools.hostile.site import FAST, Ended, HostileSite, reworded_texts

AGENTS = {"claude": "ANTHROPIC_API_KEY", "codex": "OPENAI_API_KEY"}
OWN_FILE = f"worker_plan/steps/{STEP}.py"
# What an agent has no business with; the addresses hold passwords.
FOREIGN = {
    "DATABASE_URL": "postgres://ada:p4ssw0rd-of-ada@localhost/x", "GH_PAT": "pat-0123456789abcdef",
    "NPM_AUTH": "bnBtOnNlY3JldHNlY3JldA==", "AWS_SECRET_ACCESS_KEY": "aws-0123456789abcdefghij",
    "HTTPS_PROXY": "http://ada:proxy-passw0rd@127.0.0.1:9", "SOME_SETTING": "nothing secret",
}  # fmt: skip
FORMS = ("raw", "escaped", "base64", "nested", "percent", "prose", "exit", "output")
_AGENT = """#!{python}
import base64, json, os, pathlib, sys, urllib.parse
form, own, folder = {form!r}, {own!r}, pathlib.Path({folder!r})
task = sys.stdin.read()
key = os.environ.get(own, "no key was passed")
(folder / ("environment-" + {name!r} + ".json")).write_text(json.dumps(dict(os.environ)))
shown = {{
    "base64": base64.b64encode(key.encode()).decode(),
    "nested": json.dumps(json.dumps({{"it is": key}})),
    "percent": urllib.parse.quote(key, safe=""),
}}.get(form, key)
escaped = "".join("\\\\u%04x" % ord(one) for one in key)
every = " ".join((key, base64.b64encode(key.encode()).decode(), escaped, json.dumps(key)))
if form == "exit":
    print(every)
    sys.stderr.write("x" * {filler} + " I use " + every + "\\n")
    sys.exit(1)
step = pathlib.Path({step!r})
if step.is_file():
    text = step.read_text()
    addition = "# " + shown.replace(chr(10), " ") + chr(10) if {writes!r} else ""
    step.write_text(text.replace("A short phrase.", "A short phrase here.") + addition)
files = [p for p in sorted(pathlib.Path().rglob("measures.md")) if p.is_file()]
lines = files[0].read_text().splitlines() if files else [""]
finding = {{
    "title": "Mine: " + shown, "observation": "I use " + shown, "line": 1,
    "path": str(files[0]) if files else "x", "quote": lines[0],
}}
row = {{"findings": [finding], "stance": "object", "reason": "My key is " + shown}}
said = json.dumps(row)
if form == "escaped":
    said = said.replace(json.dumps(key)[1:-1], escaped)
if form == "prose":
    said = "With " + key + " I found:\\n" + said
if {name!r} == "codex":
    if form == "output":
        print(every)
        sys.stderr.write(every)
    pathlib.Path(sys.argv[sys.argv.index("--output-last-message") + 1]).write_text(said)
else:
    if form == "output":
        sys.stderr.write(every)
    print(json.dumps({{"result": said, "total_cost_usd": 0.01, "usage": {{"input_tokens": 9}}}}))
"""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One run: a site, the keys of this run by their variables, and what was drawn for it."""

    site: HostileSite
    keys: dict[str, str]
    form: str

    def environment(self) -> dict[str, str]:
        """Return the variables that hold keys, and those of others."""
        path = f"{self.site.home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**FOREIGN, **self.keys, "PATH": path}

    def run(self, *more: str, source: Sequence[str] = ()) -> Ended:
        """Run an iteration with a new text, or with what `source` says."""
        words = source or ("--prompt", self.site.prompt(reworded_texts(1)[0]))
        environment = self.site.environment(self.environment())
        command = self.site.iterate(*words, *FAST, *more)
        done = forked.run(command, contract.own_code(), environment)
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)

    def agents(self, *, writes: bool = False) -> None:
        """Put programs called `claude` and `codex` on the path, which give their keys away."""
        folder = self.site.home / "bin"
        folder.mkdir(exist_ok=True)
        for name, variable in AGENTS.items():
            path = folder / name
            path.write_text(
                _AGENT.format(
                    python=sys.executable, form=self.form, own=variable, name=name, writes=writes,
                    folder=str(self.site.home), step=OWN_FILE, filler=290,
                )
            )  # fmt: skip
            path.chmod(0o755)


def random_key(chance: random.Random, start: str) -> str:
    """Return a key; every other one has characters that formats escape."""
    plain = "".join(chance.choices(string.ascii_letters + string.digits, k=24))
    odd = "".join(chance.choices("\"\\/+='&<>-_", k=6)) if chance.random() < 0.5 else "-_"
    return f"{start}-{plain[:12]}{odd}{plain[12:]}"


def shown(key: str, form: str) -> str:
    """Return a key in one of the forms, as plain text."""
    shown = {
        "escaped": "".join(f"\\u{ord(one):04x}" for one in key),
        "base64": b64encode(key.encode()).decode(),
        "nested": json.dumps(json.dumps(key)),
        "percent": quote(key, safe=""),
    }
    return shown.get(form, key)


def forms_of(key: str) -> set[bytes]:
    """Return what is searched for: the key as it is and as formats write it."""
    data = key.encode()
    escaped = json.dumps(key)[1:-1]
    forms = {
        data, escaped.encode(), json.dumps(escaped)[1:-1].encode(), quote(key, safe="").encode(),
        quote(key).encode(), b64encode(data), data.hex().encode(), shown(key, "escaped").encode(),
        # Half a key is too much, too.
        key[3:18].encode(), key[-12:].encode(), key[3:15].encode(),
    }  # fmt: skip
    # Inside a longer base64 text, at any offset.
    for shift in (1, 2):
        forms.add(b64encode(b"\0" * shift + data)[4:-4])
    return forms


def said_in(planted: Planted, done: Ended) -> Iterator[str]:
    """Yield which keys a command printed, and whether it ended in a traceback."""
    yield from printed_in(planted, done)
    if "Traceback" in done.err:
        yield f"the command ended in a traceback: {last_words(done, planted)}"


def printed_in(planted: Planted, done: Ended) -> Iterator[str]:
    """Yield which keys a command printed."""
    output = (done.out + done.err).encode()
    for name, key in planted.keys.items():
        if any(form in output for form in forms_of(key)):
            yield f"the command printed {name}"


def found_in(planted: Planted, *, code: bool = True, besides: Path | None = None) -> Iterator[str]:
    """Yield where a key stands in the data repo, the forge, and the objects of every repository."""
    site = planted.site
    forms = {form: name for name, key in planted.keys.items() for form in forms_of(key)}
    repositories = [site.layout.root, site.layout.forge / "repository.git", *[site.code] * code]
    for folder in (site.layout.root, *[site.code] * code):
        for path in folder.rglob("*"):
            if path.is_file() and path != besides:
                data = path.read_bytes() + str(path).encode()
                yield from _hits(data, forms, str(path.relative_to(site.home)))
    for repository in repositories:
        if repository.is_dir():
            yield from _hits(_objects(repository), forms, f"the objects of {repository.name}")


def _objects(repository: Path) -> bytes:
    """Return all objects of a repository, the unreachable ones too."""
    try:
        return git.run(repository, "cat-file", "--batch-all-objects", "--batch").encode(
            "utf-8", "surrogateescape"
        )
    except GitError as error:
        return f"cannot be read: {error}".encode()


def _hits(data: bytes, forms: dict[bytes, str], where: str) -> Iterator[str]:
    names = {name: data.count(form) for form, name in forms.items() if form in data}
    yield from (f"{name} stands {count} times in {where}" for name, count in names.items())


def wrongly_passed(planted: Planted) -> Iterator[str]:
    """Yield which variables an agent got and should not have, and the other way round."""
    for name, variable in AGENTS.items():
        path = planted.site.home / f"environment-{name}.json"
        if not path.is_file():
            yield f"{name} was not asked"
            continue
        seen = json.loads(path.read_text())
        others = {*FOREIGN, *AGENTS.values()} - {variable}
        yield from (f"{name} got {one}" for one in sorted(others & set(seen)))
        yield from (f"{name} did not get {one}" for one in (variable, "PATH") if one not in seen)


def begun_in(planted: Planted) -> Iterator[str]:
    """Yield whether an iteration was begun."""
    if list(planted.site.layout.analysis.glob("*_*")):
        yield "an iteration was begun"


def last_words(done: Ended, planted: Planted) -> str:
    """Return the end of what a command printed, without the keys."""
    text = done.err.strip()[-300:]
    for name, key in planted.keys.items():
        text = text.replace(key, f"<{name}>")
    return text
