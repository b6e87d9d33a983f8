"""Directions that need code: an agent writes it in its own directory, and checks decide."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_gateway import entry_files
from model_gateway.errors import ConfigError
from model_gateway.program_journal import spent_on_programs
from prompt_lab.scores import Scores
from self_improve.iteration.command_line import main
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.proposing.from_synthesis import code_directions
from self_improve.iteration.start import spent_on
from tests.self_improve.iteration.conftest import GOOD, STEP, IterationSite, git
from tests.waiting import until

Make = Callable[[str], IterationSite]
OWN = f"worker_plan/steps/{STEP}.py"
TESTS = f"tests/test_{STEP}.py"
FAST = ("--skip-downstream", "--skip-spot-check", "--skip-analysis")
STEP_TEST = f"""
import os

def test_the_name_stays():
    assert "A short phrase" in open("{OWN}").read()

def test_no_key_is_seen():
    assert not [name for name in os.environ if "API_KEY" in name]

if __name__ == "__main__":
    test_the_name_stays()
"""
PLAINLY = ("--test-command", "{python} {files}")


def begun(site: IterationSite, *titles: str) -> None:
    """Give the code a test, and the data repo a synthesis with directions of these titles."""
    path = site.code / TESTS
    path.parent.mkdir()
    path.write_text(STEP_TEST)
    git(site.code, "add", ".")
    git(site.code, "commit", "--quiet", "-m", "A test of the step")
    for plan in sorted(p for p in site.layout.split("train").iterdir() if p.is_dir())[1:]:
        shutil.rmtree(plan)
    folder = site.layout.iteration(0, STEP)
    folder.mkdir(parents=True)
    (folder / "synthesis_a.md").write_text("# Synthesis\n")
    rows = [{"title": title, "why": "Because.", "kind": "code"} for title in titles]
    synthesis = {"answer": {"directions": rows}}
    (folder / "synthesis_a.json").write_text(json.dumps(synthesis))


def words(site: IterationSite, *more: str) -> list[str]:
    """Return the words of a command that tries the directions."""
    return [
        "--step", STEP, "--models", "sim-strong", "--from-synthesis", "--repo", str(site.code),
        "--prompt-lab-dir", str(site.layout.root), *FAST, *more,
    ]  # fmt: skip


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a program called `claude` on the path, which runs a script in Python.

    The script knows the task as `task`, and the step's file as `own`.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def make(script: str) -> None:
        path = folder / "claude"
        path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, pathlib, sys, time\n"
            f"with open({str(tmp_path / 'calls')!r}, 'a') as file: print(*sys.argv, file=file)\n"
            f"task, own = sys.stdin.read(), pathlib.Path({OWN!r})\n"
            f"{script}\n"
            "told = {'result': 'Done.', 'total_cost_usd': 0.5, 'usage': {'input_tokens': 9}}\n"
            "print(json.dumps(told))\n"
        )
        path.chmod(0o755)

    return make


EDIT = "own.write_text(own.read_text().replace('A short phrase.', 'A short phrase here.'))"
SCRIPT = f"""
def put(old, new):
    text = own.read_text()
    assert text.count(old) == 1, old
    own.write_text(text.replace(old, new))
if 'Links' in task:
    {EDIT}
    pathlib.Path('more.py').symlink_to('/etc/passwd')
elif 'Breaks a test' in task:
    put('A short phrase.', 'Some words.')
elif 'Alters the test' in task:
    put('A short phrase.', 'Some words.')
    test = pathlib.Path({TESTS!r})
    test.write_text(test.read_text().replace('A short phrase', 'Some words'))
elif 'Cannot be loaded' in task:
    put('ENOUGH = 15', 'ENOUGH = nowhere')
elif 'Fails when it runs' in task:
    put('ENOUGH = 15', 'ENOUGH = None')
elif 'Good' in task:
    {EDIT}
elif 'Dies' in task:
    sys.exit(3)
"""


def pulls(site: IterationSite) -> list[str]:
    """Return the pull requests on the local forge."""
    pages = sorted((site.layout.forge / "pulls").glob("[0-9]*.md"))
    return [path.read_text() for path in pages if "verdict" not in path.name]


def calls(site: IterationSite) -> list[str]:
    """Return how the program was called, each time."""
    path = site.home / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_simulated_agent_writes_code_that_is_measured(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with a word, on a pull request with the label `code`, and nobody merges it."""
    site = make_site(GOOD)
    begun(site, "Narrower descriptions")
    before = git(site.code, "rev-parse", "main")
    assert main(words(site, "--merge-on-yes")) in {0, 1}
    assert "SIMULATED" in capsys.readouterr().err
    [pull] = pulls(site)
    assert "\n- code\n" in pull
    assert "sim-coder (simulated/coder), SIMULATED" in pull
    assert f"the tests in {TESTS} pass" in pull
    assert "Keep to what the plan says" in pull
    [_, side] = site.phase("branch", 1)["sides"]
    assert side["is_code"]
    [draft] = site.phase("implement", 1)["drafts"]
    assert draft["commit"] == side["commit"]
    for path in site.phase("run", 1)["runs"][side["name"]]:
        meta = json.loads((site.layout.root / path / "meta.json").read_text())
        assert (meta["code"]["commit"], meta["code"]["dirty"]) == (side["commit"], False)
    assert git(site.code, "rev-parse", "main") == before
    assert git(site.code, "status", "--porcelain") == ""
    # What the trial run of the code spent is remembered after the end.
    folder = IterationFolder.numbered(site.layout, 1)
    spent = spent_on(site.layout, [folder])
    shutil.rmtree(site.layout.scratch / "smokes")
    assert spent_on(site.layout, [folder]).calls < spent.calls


def test_killed_phase_goes_on_and_only_what_passes_every_check_gets_a_pull_request(
    make_site: Make, claude: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that was killed counts in full and is asked again, one that has answered is not.

    Why code was refused is in the log of failed attempts.
    """
    site = make_site(GOOD)
    refused = [
        "Links", "Breaks a test", "Alters the test", "Cannot be loaded", "Fails when it runs",
    ]  # fmt: skip
    titles = ["Good", *refused, "Dies"]
    begun(site, *titles)
    at_work = site.home / "at_work"
    claude(f"if 'Good' in task:\n {EDIT}\nelse:\n open({str(at_work)!r}, 'w')\n time.sleep(60)")
    # Without the runner it ends after the pull requests are open.
    command_words = words(site, "--implementer", "claude", "--skip-runner", *PLAINLY)
    killed_at(command_words, at_work)
    assert len(calls(site)) == 2
    claude(SCRIPT)
    assert main(command_words) == 2
    said = capsys.readouterr().err
    assert "at most 40 calls, 1500000 tokens and $5.00 for each" in said
    assert len(calls(site)) == len(titles) + 1
    spent = spent_on_programs(site.layout.iteration(1, STEP) / "counsel" / "programs.jsonl")
    # Six answers of half a dollar, one killed and one that failed, both in full.
    assert spent.dollars == 6 * 0.5 + 2 * 5.0
    failed = {row["change"]: row for row in Scores(site.layout).failed(STEP)}
    assert list(failed) == refused
    reasons = {change: row["reasons"][0] for change, row in failed.items()}
    assert "the link more.py was created" in reasons["Links"]
    assert "the tests ended with 1" in reasons["Breaks a test"]
    assert "the tests ended with 1" in reasons["Alters the test"]
    assert "name 'nowhere' is not defined" in reasons["Cannot be loaded"]
    assert "the step fails on" in reasons["Fails when it runs"]
    assert all(row["verdict"] == "SIMULATED REFUSED" for row in failed.values())
    assert '+    name: str = Field(description="Some words.")' in failed["Breaks a test"]["diff"]
    assert "gave no code: claude ended with 3" in said
    [pull] = pulls(site)
    assert "Good" in pull
    [draft] = site.phase("implement", 1)["drafts"]
    assert git(site.code, "diff", "--name-only", "main", draft["commit"]) == OWN
    assert git(site.code, "status", "--porcelain") == ""
    assert "acceptEdits" in calls(site)[0]
    assert "Bash" in calls(site)[0].partition("--disallowedTools")[2]


def test_skip_implement_wants_no_code(make_site: Make) -> None:
    """Otherwise every direction that needs it is wanted, by its number, if somebody can write."""
    site = make_site(GOOD)
    begun(site, "One", "Two")
    request = SimpleNamespace(
        from_synthesis=True, skip_implement=False, layout=site.layout, step=STEP,
        implementer="sim-coder", run=SimpleNamespace(catalogue=entry_files.load()),
    )  # fmt: skip
    assert [row["number"] for row in code_directions(request)] == [1, 2]
    request.implementer = "nobody"
    with pytest.raises(ConfigError, match="There is no model 'nobody'"):
        code_directions(request)
    request.skip_implement = True
    assert code_directions(request) == []


def killed_at(command_words: list[str], sign: Path) -> None:
    """Start an iteration, and kill it when a file is there."""
    command = [sys.executable, "-m", "self_improve.iteration", *command_words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(sign.exists, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
