"""Plants keys by every way in, and searches data repo, forge, git objects and output for them."""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from model_gateway import temporary
from model_gateway.jsonl import dumps, read_rows
from self_improve.demo import STEP
from tools.hostile.planted_keys import (
    AGENTS,
    FORMS,
    Planted,
    begun_in,
    found_in,
    last_words,
    printed_in,
    random_key,
    said_in,
    shown,
    wrongly_passed,
)
from tools.hostile.row import Row
from tools.hostile.site import FAST, WEAK, HostileSite, copied, make_template, reworded_texts

_REVIEWED = ("--analyse", "always", "--agents", "claude,codex")


def answers(planted: Planted) -> Iterator[str]:
    """Reviewing agents say their keys; the command is run twice, so that it is replayed."""
    planted.agents()
    for _ in range(2):
        done = planted.run(*_REVIEWED)
        failed = planted.form == "exit"
        if (done.code not in {0, 1}) is not failed:
            yield f"the command ended with {done.code}: {last_words(done, planted)}"
        yield from said_in(planted, done)
    yield from wrongly_passed(planted)
    yield from found_in(planted)


def written_code(planted: Planted) -> Iterator[str]:
    """An agent that writes code puts its key into the file."""
    planted.agents(writes=True)
    _synthesis(planted.site)
    words = ("--implementer", "claude", "--skip-analysis", "--test-command", "{python} -c pass")
    for _ in range(2):
        done = planted.run(*words, source=["--from-synthesis"])
        yield from said_in(planted, done)
    yield from found_in(planted)


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
            yield f"{words[0]} with a key ended with {done.code}: {last_words(done, planted)}"
        yield from said_in(planted, done)
    done = planted.run(source=["--branch", f"x/{key}"])
    yield from said_in(planted, done)
    yield from begun_in(planted)
    yield from found_in(planted)


def candidate_text(planted: Planted) -> Iterator[str]:
    """A key in the text of a candidate: refused before anything is begun."""
    written = shown(planted.keys["ANTHROPIC_API_KEY"], planted.form)
    text = WEAK + f"\nUse {written} for it.\n"
    done = planted.run(source=["--prompt", planted.site.prompt(text)])
    if done.code != 2 or "ANTHROPIC_API_KEY" not in done.err:
        yield f"a text with a key ended with {done.code}: {last_words(done, planted)}"
    (planted.site.home / "candidate.txt").unlink()
    yield from said_in(planted, done)
    yield from begun_in(planted)
    yield from found_in(planted)


def branch_with_key(planted: Planted) -> Iterator[str]:
    """A key in a commit of the user: not measured, not pushed, not shown; what is there stays."""
    written = shown(planted.keys["ANTHROPIC_API_KEY"], planted.form)
    planted.site.branch("their/change", WEAK + f"\nUse {written} for it.\n")
    for _ in range(2):
        done = planted.run(source=["--branch", "their/change"])
        if done.code != 2 or "ANTHROPIC_API_KEY" not in done.err:
            yield f"a branch with a key ended with {done.code}: {last_words(done, planted)}"
        yield from said_in(planted, done)
    yield from found_in(planted, code=False)


def older_journal(planted: Planted) -> Iterator[str]:
    """A journal of an older version holds a key: nothing is posted until it is taken out."""
    clean = Planted(site=planted.site, keys=planted.keys, form="none")
    clean.agents()
    words = _REVIEWED
    done = clean.run(*words)
    [folder] = planted.site.layout.analysis.glob(f"0_{STEP}")
    journal = folder / "counsel" / "programs.jsonl"
    rows, _ = read_rows(journal)
    key = planted.keys["OPENAI_API_KEY"]
    said = [json.dumps(row).replace("[key hidden]", json.dumps(key)[1:-1]) for row in rows]
    if done.code not in {0, 1} or key not in "".join(json.loads(s).get("said") or "" for s in said):
        yield f"the journal could not be planted: {done.code} {last_words(done, planted)}"
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
            yield f"a journal with a key ended with {done.code}: {last_words(done, planted)}"
        yield from said_in(planted, done)
    if (planted.site.layout.forge / "pulls" / "0001.verdict.md").exists():
        yield "the refused phase has posted its comment"
    if (folder / "phases" / "publish.json").exists():
        yield "the refused phase counts as done"
    yield from found_in(planted, besides=journal)
    # Without the key the same command goes on from where it was.
    journal.write_text(journal.read_text().replace(json.dumps(key)[1:-1], "[key hidden]"))
    planted.agents()
    done = clean.run(*words)
    if done.code not in {0, 1}:
        yield f"with a clean journal it ended with {done.code}: {last_words(done, planted)}"
    yield from found_in(planted)


def files(planted: Planted) -> Iterator[str]:
    """A key in a file of the data repo: git never sees it."""
    layout = planted.site.layout
    written = shown(planted.keys["OPENAI_API_KEY"], planted.form)
    path = layout.analysis / "notes" / "mine.md"
    path.parent.mkdir()
    path.write_text(f"Notes\n\nI use {written}\n")
    code = (
        "import sys; from pathlib import Path; from prompt_lab.layout import Layout; "
        "from prompt_lab.repository import Repository; "
        "layout = Layout(Path(sys.argv[1])); Repository(layout).commit([layout.analysis], 'Notes')"
    )
    words = [sys.executable, "-c", code, str(layout.root)]
    done = planted.site.run(words, planted.environment())
    if done.code == 0 or "analysis/notes/mine.md: line 3: it holds OPENAI_API_KEY" not in done.err:
        yield f"a file with a key ended with {done.code}: {last_words(done, planted)}"
    yield from printed_in(planted, done)
    yield from found_in(planted, besides=path)


def worktrees(planted: Planted) -> Iterator[str]:
    """A key in a file that code of a candidate left in its worktree: not stored under a ref."""
    layout, site = planted.site.layout, planted.site
    text = site.prompt(reworded_texts(1)[0])
    site.run(site.iterate("--prompt", text, *FAST, "--skip-analysis"), planted.environment())
    left = []
    for tree in layout.worktrees.iterdir():
        path = tree / "worker_plan" / "left.txt"
        path.write_text(shown(planted.keys["OPENAI_API_KEY"], planted.form))
        left.append(path)
    words = site.iterate("--prompt", text, *FAST, "--skip-analysis", "--new")
    done = site.run(words, planted.environment())
    if done.code not in {0, 1}:
        yield f"it ended with {done.code}: {last_words(done, planted)}"
    for path in layout.worktrees.rglob("left.txt"):
        path.unlink()
    yield from said_in(planted, done)
    yield from found_in(planted)


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


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Plant keys `size` times by each way, and yield a row for each."""
    with temporary.opened("keys") as folder:
        home = Path(folder) / "template"
        home.mkdir()
        template = make_template(home)
        for kind in (one for one in KINDS if re.search(only, one)):
            violations: list[str] = []
            for number in range(size):
                chance = random.Random(f"{seed}/{kind}/{number}")
                site = copied(template, Path(folder) / "site")
                keys = {name: random_key(chance, name[:2].lower()) for name in AGENTS.values()}
                # Every form comes about as often, whatever the number of runs.
                form = FORMS[(number + chance.randrange(2)) % len(FORMS)]
                planted = Planted(site=site, keys=keys, form=form)
                violations += [f"{form}: {one}" for one in KINDS[kind](planted)]
                shutil.rmtree(site.home)
            yield Row(kind=kind, runs=size, violations=tuple(violations))


def _synthesis(site: HostileSite) -> None:
    """Give the step a synthesis with one direction that needs code."""
    folder = site.layout.iteration(0, STEP)
    folder.mkdir(parents=True)
    (folder / "synthesis_a.md").write_text("# Synthesis\n")
    row = {"title": "Narrower descriptions", "why": "Because.", "kind": "code"}
    (folder / "synthesis_a.json").write_text(json.dumps({"answer": {"directions": [row]}}))
