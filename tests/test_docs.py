"""The documentation says what is so: its commands run, its options exist, its pages are current."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from self_improve import command_line
from self_improve.command_line import COMMANDS
from tools import architecture, pages

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [p for p in DOCS if p.parent.name != "adr" and p.name not in {"commands.md", "glossary.md"}]
"""The pages that people write; `commands.md` is what --help says."""
_FENCE = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_MODULES = {
    "self_improve.runner": "run",
    "self_improve.steps": "steps",
    "self_improve.evaluate": "evaluate",
    "self_improve.compare": "compare",
    "self_improve.noise": "noise",
    "self_improve.iteration": "iterate",
    "self_improve.generators": "generators",
    "self_improve.optimizer": "optimize",
    "self_improve.rollout": "rollout",
    "self_improve.full_plan": "full-plan",
    "self_improve.rollback": "rollback",
    "prompt_lab": "lab",
    "model_gateway": "models",
    "worker_plan": "plan",
}


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of every command in the page's shell examples."""
    for block in _FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and "=" not in words[0]:
                yield words


def ours(words: list[str]) -> tuple[str, list[str]] | None:
    """Return the subcommand and its own words, if this is a command of ours."""
    words = words[: words.index(">")] if ">" in words else words
    if words[0] == "plumbline":
        return words[1], words[2:]
    if words[:2] == ["python", "-m"] and words[2] in _MODULES:
        return _MODULES[words[2]], words[3:]
    return None


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_command_in_the_docs_is_one_that_the_parsers_take(page: Path) -> None:
    """Subcommands, options and choices exist."""
    for words in commands(page):
        result = ours(words)
        if result is None or result[0] == "completion":
            continue
        command = COMMANDS[result[0]]
        command_line.load(command.parser)("test").parse_args(result[1])


def test_the_messages_in_the_readme_are_messages_of_the_program() -> None:
    """The table of what goes wrong quotes what the code says today."""
    texts = {
        node.value
        for package in ("model_gateway", "worker_plan", "prompt_lab", "self_improve")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| you see |")[2]
    quotes = [quote for row in table.split("\n|") for quote in re.findall(r"`(.+?)`", row[:60])[:1]]
    assert len(quotes) > 8
    for quote in quotes:
        for part in re.split(r"…|: ", quote):
            assert any(part.strip() in text for text in texts), quote


def test_every_make_target_in_the_docs_exists() -> None:
    """What the pages tell to make can be made."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pattern = re.compile(r"`make ([a-z-]+)`|^make ([a-z-]+)", re.MULTILINE)
    texts = [pair for page in DOCS for pair in pattern.findall(page.read_text(encoding="utf-8"))]
    named = {name for pair in texts for name in pair if name}
    assert named
    assert named <= targets


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse words its help by version")
def test_the_page_of_commands_is_current() -> None:
    """It holds what --help says now; `make pages` writes it."""
    assert pages.PAGE.read_text(encoding="utf-8") == pages.text()


@pytest.mark.parametrize(
    "path", [architecture.PAGE, architecture.PICTURE], ids=lambda path: path.name
)
def test_the_page_of_the_architecture_is_current(path: Path) -> None:
    """It shows the rooms and imports of today; `make architecture` writes it."""
    assert path.read_text(encoding="utf-8") == architecture.texts()[path]


def prose(page: Path) -> str:
    """Return a page without headings, code, tables of data, other links and generated blocks."""
    text = page.read_text(encoding="utf-8")
    for pattern in (r"```.*?```", r"<!-- (\w+) -->.*?<!-- end of \1 -->"):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    return re.sub(
        r"(?m)^#.*$|^\|(?:[^|\n]*\|){4,}$|`[^`\n]*`|!\[[^]]*\]|\]\((?![^)]*glossary)[^)]*\)",
        "",
        text,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("term", ["cell", "pair", "surface", "gate", "composite", "evidence"])
def test_the_first_use_of_a_term_links_to_the_glossary(page: Path, term: str) -> None:
    """A reader who meets a word of ours for the first time can look it up."""
    text = prose(page)
    first = re.search(rf"(?<![\w/#-]){term}s?\b(?!-)", text)
    assert first is None or re.match(
        rf"{term}s?\]\([./a-z]*glossary\.md#{term}\)", text[first.start() :]
    ), text[max(0, first.start() - 60) : first.end() + 30]


def test_the_glossary_explains_each_term_in_a_sentence() -> None:
    """Headings are the terms; links to other headings would lead nowhere."""
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = dict(re.findall(r"### (\w+)\n(.+?)(?=\n\n|\Z)", glossary, re.DOTALL))
    assert all(text.strip().endswith(".") and ". " not in text for text in terms.values())
    for page in DOCS:
        for target in re.findall(r"glossary\.md#(\w+)", page.read_text(encoding="utf-8")):
            assert target.capitalize() in terms, f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_begins_with_its_readers(page: Path) -> None:
    """The first paragraph says for whom it is, and what they can do afterwards."""
    if page.name != "README.md" or page.parent != ROOT:
        paragraph = page.read_text(encoding="utf-8").split("\n\n")[1]
        assert paragraph.startswith("For "), paragraph


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link in a page names a file that is there."""
    for page in DOCS:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_first_hour_of_the_readme_runs(tmp_path: Path) -> None:
    """Its commands, typed one after the other, do what it says; llama is played by a simulation."""
    environment = {k: v for k, v in os.environ.items() if k != "PROMPT_LAB_DIR"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    zips = ROOT / "prompt_lab" / "samples" / "train"
    script = ["set -e"]
    for block in _FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))[1:]:
        if "plan run" in block or "plumbline iterate" in block:  # these need real models
            continue
        played = block.replace("--model llama", "--model sim").replace(
            "~/finished_plans", str(zips)
        )
        edited = "> better.txt; echo 'Prefer the fewest that matter.' >> better.txt"
        script.append(re.sub(r"#.*", "", played).replace("> better.txt", edited))
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SIMULATED sim-strong: 5 ok ·") == 2
    assert "You look for its levers" in (tmp_path / "better.txt").read_text()
