"""Plants keys by every way in, and searches data repo, forge, git objects and output for them."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import string
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from model_gateway.jsonl import dumps, read_rows
from self_improve.code import git
from self_improve.code.git import GitError
from self_improve.demo import STEP
from tools.hostile_concurrency import show
from tools.hostile_site import FAST, WEAK, Ended, HostileSite, Row, copied, make_template
from tools.hostile_site import reworded_texts as texts_of

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
if form == "exit":
    sys.stderr.write("x" * {filler} + " I use " + key + "\\n")
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
    escaped = "".join("\\\\u%04x" % ord(one) for one in key)
    said = said.replace(json.dumps(key)[1:-1], escaped)
if form == "prose":
    said = "With " + key + " I found:\\n" + said
if {name!r} == "codex":
    if form == "output":
        print(key)
    pathlib.Path(sys.argv[sys.argv.index("--output-last-message") + 1]).write_text(said)
else:
    if form == "output":
        sys.stderr.write(key)
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
        words = source or ("--prompt", self.site.prompt(texts_of(1)[0]))
        return self.site.run(self.site.iterate(*words, *FAST, *more), self.environment())

    def agents(self, *, writes: bool = False) -> None:
        """Put programs called `claude` and `codex` on the path, which give their keys away."""
        folder = self.site.home / "bin"
        folder.mkdir(exist_ok=True)
        for name, names in AGENTS.items():
            path = folder / name
            path.write_text(
                _AGENT.format(
                    python=sys.executable, form=self.form, own=names, name=name, writes=writes,
                    folder=str(self.site.home), step=OWN_FILE,
                    filler=400 if len(names) % 2 else 290,
                )
            )  # fmt: skip
            path.chmod(0o755)


def answers(planted: Planted) -> Iterator[str]:
    """Reviewing agents say their keys; the command is run twice, so that it is replayed."""
    planted.agents()
    words = ("--analyse", "always", "--agents", "claude,codex")
    for _ in range(2):
        done = planted.run(*words)
        failed = planted.form == "exit"
        if (done.code not in {0, 1}) is not failed:
            yield f"the command ended with {done.code}: {_tail(done, planted)}"
        yield from _said(planted, done)
    yield from _wrongly_passed(planted)
    yield from _found(planted)


def written_code(planted: Planted) -> Iterator[str]:
    """An agent that writes code puts its key into the file."""
    planted.agents(writes=True)
    _synthesis(planted.site)
    words = ("--implementer", "claude", "--skip-analysis", "--test-command", "{python} -c pass")
    for _ in range(2):
        done = planted.run(*words, source=["--from-synthesis"])
        yield from _said(planted, done)
    yield from _found(planted)


def options(planted: Planted) -> Iterator[str]:
    """A key on the command line: refused before anything is begun."""
    key = planted.keys["OPENAI_API_KEY"]
    for words in (
        ["--rationale", f"because of {key}"], ["--rationale", quote(key, safe="")],
        ["--judge", key], ["--agents", f"claude,{key}"], ["--base", key],
        ["--test-command", f"echo {key}"],
    ):  # fmt: skip
        done = planted.run(*words)
        if done.code != 2 or "OPENAI_API_KEY" not in done.err:
            yield f"{words[0]} with a key ended with {done.code}: {_tail(done, planted)}"
        yield from _said(planted, done)
    done = planted.run(source=["--branch", f"x/{key}"])
    yield from _said(planted, done)
    yield from _begun(planted)
    yield from _found(planted)


def candidate_text(planted: Planted) -> Iterator[str]:
    """A key in the text of a candidate: refused before anything is begun."""
    shown = _shown(planted.keys["ANTHROPIC_API_KEY"], planted.form)
    text = WEAK + f"\nUse {shown} for it.\n"
    done = planted.run(source=["--prompt", planted.site.prompt(text)])
    if done.code != 2 or "ANTHROPIC_API_KEY" not in done.err:
        yield f"a text with a key ended with {done.code}: {_tail(done, planted)}"
    (planted.site.home / "candidate.txt").unlink()
    yield from _said(planted, done)
    yield from _begun(planted)
    yield from _found(planted)


def branch_with_key(planted: Planted) -> Iterator[str]:
    """A key in a commit of the user: not measured, not pushed, not shown; what is there stays."""
    shown = _shown(planted.keys["ANTHROPIC_API_KEY"], planted.form)
    planted.site.branch("their/change", WEAK + f"\nUse {shown} for it.\n")
    for _ in range(2):
        done = planted.run(source=["--branch", "their/change"])
        if done.code != 2 or "ANTHROPIC_API_KEY" not in done.err:
            yield f"a branch with a key ended with {done.code}: {_tail(done, planted)}"
        yield from _said(planted, done)
    yield from _found(planted, code=False)


def older_journal(planted: Planted) -> Iterator[str]:
    """A journal of an older version holds a key: nothing is posted until it is taken out."""
    clean = Planted(site=planted.site, keys=planted.keys, form="none")
    clean.agents()
    words = ("--analyse", "always", "--agents", "claude,codex")
    done = clean.run(*words)
    [folder] = planted.site.layout.analysis.glob(f"0_{STEP}")
    journal = folder / "counsel" / "programs.jsonl"
    rows, _ = read_rows(journal)
    key = planted.keys["OPENAI_API_KEY"]
    said = [json.dumps(row).replace("[key hidden]", json.dumps(key)[1:-1]) for row in rows]
    if done.code not in {0, 1} or key not in "".join(json.loads(s).get("said") or "" for s in said):
        yield f"the journal could not be planted: {done.code} {_tail(done, planted)}"
        return
    journal.write_text("".join(dumps(json.loads(one)) + "\n" for one in said))
    for pattern in ("phases/analyse.json", "phases/publish.json", "*_claude.*", "*_codex.*"):
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(planted.site.layout.forge / "pulls" / "0001.verdict.md", ignore_errors=True)
    (planted.site.layout.forge / "pulls" / "0001.verdict.md").unlink(missing_ok=True)
    for _ in range(2):
        done = planted.run(*words)
        if done.code != 2 or "programs.jsonl" not in done.err or "OPENAI_API_KEY" not in done.err:
            yield f"a journal with a key ended with {done.code}: {_tail(done, planted)}"
        yield from _said(planted, done)
    if (planted.site.layout.forge / "pulls" / "0001.verdict.md").exists():
        yield "the refused phase has posted its comment"
    if (folder / "phases" / "publish.json").exists():
        yield "the refused phase counts as done"
    yield from _found(planted, besides=journal)
    # Without the key the same command goes on from where it was.
    journal.write_text(journal.read_text().replace(json.dumps(key)[1:-1], "[key hidden]"))
    planted.agents()
    done = clean.run(*words)
    if done.code not in {0, 1}:
        yield f"with a clean journal it ended with {done.code}: {_tail(done, planted)}"
    yield from _found(planted)


def files(planted: Planted) -> Iterator[str]:
    """A key in a file of the data repo: git never sees it."""
    layout = planted.site.layout
    shown = _shown(planted.keys["OPENAI_API_KEY"], planted.form)
    path = layout.analysis / "notes" / "mine.md"
    path.parent.mkdir()
    path.write_text(f"Notes\n\nI use {shown}\n")
    code = (
        "import sys; from pathlib import Path; from prompt_lab.layout import Layout; "
        "from prompt_lab.repository import Repository; "
        "layout = Layout(Path(sys.argv[1])); Repository(layout).commit([layout.analysis], 'Notes')"
    )
    words = [sys.executable, "-c", code, str(layout.root)]
    done = planted.site.run(words, planted.environment())
    if done.code == 0 or "analysis/notes/mine.md: line 3: it holds OPENAI_API_KEY" not in done.err:
        yield f"a file with a key ended with {done.code}: {_tail(done, planted)}"
    yield from _printed(planted, done)
    yield from _found(planted, besides=path)


def worktrees(planted: Planted) -> Iterator[str]:
    """A key in a file that code of a candidate left in its worktree: not stored under a ref."""
    layout, site = planted.site.layout, planted.site
    text = site.prompt(texts_of(1)[0])
    site.run(site.iterate("--prompt", text, *FAST, "--skip-analysis"), planted.environment())
    left = []
    for tree in layout.worktrees.iterdir():
        path = tree / "worker_plan" / "left.txt"
        path.write_text(_shown(planted.keys["OPENAI_API_KEY"], planted.form))
        left.append(path)
    words = site.iterate("--prompt", text, *FAST, "--skip-analysis", "--new")
    done = site.run(words, planted.environment())
    if done.code not in {0, 1}:
        yield f"it ended with {done.code}: {_tail(done, planted)}"
    for path in layout.worktrees.rglob("left.txt"):
        path.unlink()
    yield from _said(planted, done)
    yield from _found(planted)


Campaign = Callable[[Planted], Iterator[str]]
KINDS: dict[str, Campaign] = {
    "keys in answers of agents": answers,
    "keys in code that an agent wrote": written_code,
    "keys in options": options,
    "keys in texts of candidates": candidate_text,
    "keys in branches of users": branch_with_key,
    "keys in journals of older versions": older_journal,
    "keys in files of the data repo": files,
    "keys left in worktrees": worktrees,
}


def rows(count: int, seed: int = 1, *, kinds: Sequence[str] = tuple(KINDS)) -> list[Row]:
    """Plant keys `count` times by each way, and return what was found."""
    results = []
    with tempfile.TemporaryDirectory(prefix="plumbline-keys-") as folder:
        home = Path(folder) / "template"
        home.mkdir()
        template = make_template(home)
        for kind in kinds:
            violations: list[str] = []
            for number in range(count):
                chance = random.Random(f"{seed}/{kind}/{number}")
                site = copied(template, Path(folder) / "site")
                keys = {name: _key(chance, name[:2].lower()) for name in AGENTS.values()}
                # Every form comes about as often, whatever the number of runs.
                form = FORMS[(number + chance.randrange(2)) % len(FORMS)]
                planted = Planted(site=site, keys=keys, form=form)
                violations += [f"{form}: {one}" for one in KINDS[kind](planted)]
                shutil.rmtree(site.home)
            results.append(Row(kind=kind, runs=count, violations=tuple(violations)))
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign; the exit code is 1 if there was a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=8, metavar="N", help="runs of each kind")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    options_given = parser.parse_args(argv)
    return show(rows(options_given.runs, options_given.seed))


def _key(chance: random.Random, start: str) -> str:
    """Return a key; every other one has characters that formats escape."""
    plain = "".join(chance.choices(string.ascii_letters + string.digits, k=24))
    odd = "".join(chance.choices("\"\\/+='&<>-_", k=6)) if chance.random() < 0.5 else "-_"
    return f"{start}-{plain[:12]}{odd}{plain[12:]}"


def _shown(key: str, form: str) -> str:
    """Return a key in one of the forms, as plain text."""
    shown = {
        "escaped": "".join(f"\\u{ord(one):04x}" for one in key),
        "base64": b64encode(key.encode()).decode(),
        "nested": json.dumps(json.dumps(key)),
        "percent": quote(key, safe=""),
    }
    return shown.get(form, key)


def _forms(key: str) -> set[bytes]:
    """Return what is searched for: the key as it is and as formats write it."""
    data = key.encode()
    escaped = json.dumps(key)[1:-1]
    forms = {
        data, escaped.encode(), json.dumps(escaped)[1:-1].encode(), quote(key, safe="").encode(),
        quote(key).encode(), b64encode(data), data.hex().encode(), _shown(key, "escaped").encode(),
        # Half a key is too much, too.
        key[3:18].encode(), key[-12:].encode(), key[3:15].encode(),
    }  # fmt: skip
    # Inside a longer base64 text, at any offset.
    for shift in (1, 2):
        forms.add(b64encode(b"\0" * shift + data)[4:-4])
    return forms


def _said(planted: Planted, done: Ended) -> Iterator[str]:
    yield from _printed(planted, done)
    if "Traceback" in done.err:
        yield f"the command ended in a traceback: {_tail(done, planted)}"


def _printed(planted: Planted, done: Ended) -> Iterator[str]:
    output = (done.out + done.err).encode()
    for name, key in planted.keys.items():
        if any(form in output for form in _forms(key)):
            yield f"the command printed {name}"


def _found(planted: Planted, *, code: bool = True, besides: Path | None = None) -> Iterator[str]:
    """Yield where a key stands in the data repo, the forge, and the objects of every repository."""
    site = planted.site
    forms = {form: name for name, key in planted.keys.items() for form in _forms(key)}
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


def _wrongly_passed(planted: Planted) -> Iterator[str]:
    for name, names in AGENTS.items():
        path = planted.site.home / f"environment-{name}.json"
        if not path.is_file():
            yield f"{name} was not asked"
            continue
        seen = json.loads(path.read_text())
        others = {*FOREIGN, *AGENTS.values()} - {names}
        yield from (f"{name} got {one}" for one in sorted(others & set(seen)))
        yield from (f"{name} did not get {one}" for one in (names, "PATH") if one not in seen)


def _begun(planted: Planted) -> Iterator[str]:
    if list(planted.site.layout.analysis.glob("*_*")):
        yield "an iteration was begun"


def _synthesis(site: HostileSite) -> None:
    """Give the step a synthesis with one direction that needs code."""
    folder = site.layout.iteration(0, STEP)
    folder.mkdir(parents=True)
    (folder / "synthesis_a.md").write_text("# Synthesis\n")
    row = {"title": "Narrower descriptions", "why": "Because.", "kind": "code"}
    (folder / "synthesis_a.json").write_text(json.dumps({"answer": {"directions": [row]}}))


def _tail(done: Ended, planted: Planted) -> str:
    text = done.err.strip()[-300:]
    for name, key in planted.keys.items():
        text = text.replace(key, f"<{name}>")
    return text


if __name__ == "__main__":
    raise SystemExit(main())
