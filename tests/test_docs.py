"""The documentation says what is so: its commands run, its options exist, its pages are current."""

from __future__ import annotations

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
from tools import pages

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
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
    words = [word for word in words if word not in {">", "texts.txt"}]
    if words[0] == "plumbline":
        return words[1], words[2:]
    if words[:2] == ["python", "-m"] and words[2] in _MODULES:
        return _MODULES[words[2]], words[3:]
    return None


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_command_in_the_docs_is_one_that_the_parsers_take(page: Path) -> None:
    """Subcommands, options and choices exist."""
    for words in commands(page):
        found = ours(words)
        if found is None or found[0] == "completion":
            continue
        command = COMMANDS[found[0]]
        command_line.load(command.parser)("test").parse_args(found[1])


def test_every_make_target_in_the_docs_exists() -> None:
    """What the pages tell to make can be made."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pattern = re.compile(r"`make ([a-z-]+)`|^make ([a-z-]+)", re.MULTILINE)
    found = [pair for page in DOCS for pair in pattern.findall(page.read_text(encoding="utf-8"))]
    named = {name for pair in found for name in pair if name}
    assert named
    assert named <= targets


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse words its help by version")
def test_the_page_of_commands_is_current() -> None:
    """It holds what --help says now; `make pages` writes it."""
    assert pages.PAGE.read_text(encoding="utf-8") == pages.text()


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
        script.append(re.sub(r"#.*", "", played))
    (tmp_path / "better.txt").write_text("Find what is to be decided. Give 5 to 7 `levers`.\n")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SIMULATED sim-strong: 5 ok, 0 failed") == 2
    assert "LEVERS_SYSTEM_PROMPT" in (tmp_path / "texts.txt").read_text()
