"""Whole iterations on the bundled plans, with simulated models and the local forge."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from model_gateway.jsonl import read_rows
from prompt_lab.layout import runs
from prompt_lab.record import Run
from prompt_lab.scores import Scores
from self_improve.code import patch
from self_improve.iteration.command_line import main
from self_improve.search import thread_bridge
from tests.self_improve.iteration.conftest import (
    GOOD,
    MODELS,
    STEP,
    SURFACE,
    WEAK,
    IterationSite,
    git,
)
from tests.waiting import until

Make = Callable[[str], IterationSite]
FAST = ("--skip-downstream", "--skip-spot-check")


def comment(site: IterationSite, name: str = "0001.verdict.md") -> str:
    """Return the comment on a pull request."""
    return (site.layout.forge / "pulls" / name).read_text()


def commit(site: IterationSite, prompt: str) -> None:
    """Commit another prompt to the code."""
    for name, change in patch.patched(site.code, {SURFACE: prompt}).items():
        (site.code / name).write_bytes(change.after)
    git(site.code, "commit", "--quiet", "-a", "-m", "Another prompt")


def test_better_prompt_ends_in_yes(make_site: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Through every check, with pull request, scoreboard and best; and it is never merged."""
    site = make_site(WEAK)
    before = git(site.code, "rev-parse", "main")
    expected = "ungrounded_percentages:name+consequences+options+review:lower"
    assert site.run(GOOD, "--merge-on-yes", "--expect", expected) == 0
    said = capsys.readouterr().err
    assert "SIMULATED YES" in said
    assert site.phase("verify")["uses"] == 1
    spot = site.phase("spot_check")
    assert spot["harm"] == []
    assert {Run(site.layout.root / name).step for name in spot["runs"]} > {STEP, "report"}
    assert not list((site.layout.scratch / "iterations").iterdir())
    assert set(site.phase("downstream")["steps"]) == {"deduplicate_levers"}
    assert "## SIMULATED YES" in comment(site)
    baseline, row = Scores(site.layout).rows(STEP)
    assert (baseline.verdict, row.verdict) == ("BASELINE", "SIMULATED YES")
    assert row.delta is not None
    assert row.delta > 1
    best = Scores(site.layout).best(STEP)
    assert best is not None
    assert (best.texts, best.simulated) == ({SURFACE: GOOD}, True)
    [row] = read_rows(site.layout.patterns)[0]
    assert (row["step"], row["status"], row["simulated"]) == (STEP, "worked", True)
    assert row["excerpts"]["added_chars"] > row["excerpts"]["removed_chars"] > 0
    assert git(site.code, "rev-parse", "main") == before
    assert git(site.code, "status", "--porcelain") == ""
    status = next((site.layout.forge / "statuses").rglob("*.md"), None)
    assert "success" not in (status.read_text() if status else "")
    assert git(site.layout.root, "status", "--porcelain", "--", "history", "scores") == ""
    assert git(site.layout.root, "status", "--porcelain", "--", "patterns.jsonl") == ""


def test_worse_prompt_ends_in_no(make_site: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Its diff is in the log of failed attempts, its pull request is closed, and it stays known."""
    site = make_site(GOOD)
    assert site.run(WEAK) == 1
    said = capsys.readouterr().err.splitlines()
    # Before the estimates, and so before anything is spent.
    [power] = [n for n, line in enumerate(said) if line.startswith("compared with as many cells: ")]
    assert power < min(n for n, line in enumerate(said) if line.startswith("baseline: "))
    [failed] = Scores(site.layout).failed(STEP)
    assert failed["verdict"] == "SIMULATED NO"
    assert "+Give each effect as a figure" in failed["diff"]
    assert failed["texts"] == {SURFACE: WEAK}
    assert "state: closed" in (site.layout.forge / "pulls" / "0001.md").read_text()
    assert site.phase("analyse")["skipped"]
    capsys.readouterr()
    assert site.run(WEAK, "--new", "--seed", "7") == 2
    assert "was rejected before, by 0_identify_potential_levers" in capsys.readouterr().err
    commit(site, GOOD.replace("You advise people", "You counsel people", 1))
    assert site.run(WEAK, "--max-calls", "1") == 3  # Against other texts it is another question.


def test_reworded_prompt_stays_open_and_is_analysed(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Agents write their pages, the judge compares, and a second run does nothing."""
    site = make_site(GOOD)
    reworded = GOOD.replace("You advise people", "You counsel people", 1)
    assert site.run(reworded) == 0
    folder = site.layout.iteration(0, STEP)
    pages = {path.name for path in folder.glob("*.md")}
    assert {"insight_sim-analyst.md", "insight_sim-critic.md", "synthesis_sim-analyst.md"} <= pages
    result = site.phase("analyse")
    assert result["judged"]["pairs"] > 0
    assert result["supported"] is False
    assert "SIMULATED INCONCLUSIVE" in comment(site)
    attempts = (folder / "counsel" / "attempts.jsonl").read_bytes()
    count = len(runs(site.layout))
    # As if it had been killed between its last marker and the commit of it.
    git(site.layout.root, "reset", "--quiet", "--mixed", "HEAD~1")
    assert git(site.layout.root, "status", "--porcelain", "--", "analysis") != ""
    capsys.readouterr()
    assert site.run(reworded, "--dry-run") == 0
    assert "is already finished: without --new nothing is sent" in capsys.readouterr().err
    assert site.run(reworded) == 0
    assert "is already finished" in capsys.readouterr().err
    assert git(site.layout.root, "status", "--porcelain", "--", "analysis", "scores") == ""
    assert (folder / "counsel" / "attempts.jsonl").read_bytes() == attempts
    assert len(runs(site.layout)) == count


def test_both_sides_are_evidence_of_commits(make_site: Make) -> None:
    """Every run names its commit, is clean, and was made in this iteration."""
    site = make_site(GOOD)
    site.run(WEAK, models="sim-strong")
    sides = {row["name"]: row["commit"] for row in site.phase("branch")["sides"]}
    for name, paths in site.phase("run")["runs"].items():
        for path in paths:
            code = Run(site.layout.root / path).meta["code"]
            assert (code["commit"], code["dirty"]) == (sides[name], False)


def test_branch_of_the_user_is_judged_on_the_local_forge(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """With pull request, status and comment; it stays open for a person, who alone merges it."""
    site = make_site(WEAK)
    git(site.code, "checkout", "--quiet", "-b", "their/change")
    commit(site, GOOD)
    tip = git(site.code, "rev-parse", "HEAD")
    git(site.code, "checkout", "--quiet", "main")
    words = [
        "--step", STEP, "--models", MODELS, "--branch", "their/change", "--repo", str(site.code),
        "--prompt-lab-dir", str(site.layout.root), *FAST, "--merge-on-yes",
    ]  # fmt: skip
    assert main(words) == 0
    assert "SIMULATED CONDITIONAL" in capsys.readouterr().err
    pull = (site.layout.forge / "pulls" / "0001.md").read_text()
    assert "branch: their/change\n" in pull
    assert f"head: {tip}\n" in pull
    assert "state: open\n" in pull
    assert "- code\n" in pull
    assert "## SIMULATED CONDITIONAL" in comment(site)
    assert (site.layout.forge / "statuses" / f"{tip}.yaml").is_file()
    [_, side] = site.phase("branch")["sides"]
    assert (side["commit"], side["branch"], side["is_code"]) == (tip, "their/change", True)
    for path in site.phase("run")["runs"][side["name"]]:
        code = Run(site.layout.root / path).meta["code"]
        assert (code["commit"], code["dirty"]) == (tip, False)
    assert git(site.layout.root, "status", "--porcelain", "--", "analysis", "forge") == ""
    assert main(words) == 0
    assert "is already finished" in capsys.readouterr().err
    # A branch that has moved is another change.
    git(site.code, "branch", "--force", "their/change", "main")
    assert main(words) == 2
    assert "their/change changes nothing" in capsys.readouterr().err


def test_killed_iteration_goes_on_without_repeating_a_call(make_site: Make) -> None:
    """After kill -9 in the middle of the cells the same command ends it."""
    site = make_site(GOOD)
    config = site.home / "llm_config"
    config.mkdir()
    (config / "slow.toml").write_text(
        'name = "slow"\nprovider = "simulated"\nmodel_id = "simulated/strong"\nworkers = 2\n'
        'options = { persona = "strong", latency_seconds = 0.2 }\n'
        "price = { input = 0, output = 0 }\n"
    )
    words = site.words(WEAK, *FAST, models="slow")
    command = [sys.executable, "-m", "self_improve.iteration", *words]
    environment = {"PLUMBLINE_LLM_CONFIG": str(config)}
    process = subprocess.Popen(
        command, env={**_environment(), **environment}, stderr=subprocess.DEVNULL
    )
    until(lambda: len(_answered(site)) >= 6, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = _answered(site)
    done = subprocess.run(
        command, env={**_environment(), **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    assert "SIMULATED" in done.stderr
    again = _answered(site)
    assert set(first) <= set(again)
    assert {call: n for call, n in again.items() if n > 1} == {}


def test_budget_ends_it_with_3_and_a_higher_cap_goes_on(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """No call is made beyond the cap, over both sessions."""
    site = make_site(GOOD)
    assert site.run(WEAK, *FAST, "--max-calls", "9", models="sim-strong") == 3
    assert "9 calls" in capsys.readouterr().err
    assert sum(_answered(site).values()) <= 9
    assert site.run(WEAK, *FAST, models="sim-strong") in {0, 1}
    assert max(_answered(site).values()) == 1


def test_agent_without_a_price_is_refused_before_a_cell(
    make_site: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cap on cost that an agent's model cannot keep, and a misspelt agent, pay for no cell."""
    site = make_site(GOOD)
    config = site.home / "llm_config"
    config.mkdir()
    (config / "free.toml").write_text(
        'name = "free"\nprovider = "openai"\nmodel_id = "m"\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    monkeypatch.setenv("PLUMBLINE_LLM_CONFIG", str(config))
    assert site.run(WEAK, "--agents", "free,sim-critic", "--max-cost", "1") == 2
    assert "cannot be kept for free" in capsys.readouterr().err
    assert site.run(WEAK, "--agents", "sim-critik,sim-analyst", "--new") == 2
    assert "Did you mean sim-critic" in capsys.readouterr().err
    assert _answered(site) == {}


_PRICED = re.compile(r"(?P<name>[a-z]+(?: [a-z]+)?) +(?P<least>\d+) to (?P<most>\d+) ")


def test_dry_run_tells_the_cost_and_leaves_nothing(
    make_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """No iteration is begun."""
    site = make_site(GOOD)
    assert site.run(WEAK, "--dry-run") == 0
    said = capsys.readouterr().err
    assert "compared with as many cells: " in said
    assert "Nothing was sent." in said
    assert not list(site.layout.analysis.glob("*_*"))
    rows = [row for line in said.splitlines() if (row := _PRICED.match(line))]
    prices = {row["name"]: (int(row["least"]), int(row["most"])) for row in rows}
    assert list(prices) == [
        "sides", "verify", "downstream", "spot check", "agents", "judge", "in all",
    ]  # fmt: skip
    assert 0 < prices["sides"][0] < prices["sides"][1]
    assert prices["verify"][0] == 0 < prices["verify"][1]
    assert prices["spot check"][1] > prices["downstream"][1] > 0
    least, most = (sum(one[n] for name, one in prices.items() if name != "in all") for n in (0, 1))
    assert prices["in all"] == (least, most)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_candidate_that_differs_by_blanks_only_is_refused(
    make_site: Make, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    """A dry run refuses what the command refuses."""
    site = make_site(GOOD)
    assert site.run(GOOD.replace("\n", "\n\n") + "\n \n", *more) == 2
    assert "This candidate is the baseline" in capsys.readouterr().err
    assert not list(site.layout.history.glob("0/*"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--branch", "x"], "Name one source of candidates"),
        (["--models", "simm"], "There is no model 'simm'"),
        (["--base", "nowhere"], "nowhere"),
        (["--forge", "github"], "Which repository on GitHub?"),
        (["--expect", "nonsense:lower"], "nonsense"),
        (["--expect", "items:higher:model=llama"], "no pair of cells is of model 'llama'"),
    ],
)
def test_wrong_usage_ends_with_2(
    make_site: Make, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    """One message says what is wrong, and nothing was begun: no folder, no pull request."""
    site = make_site(GOOD)
    assert site.run(WEAK, *more) == 2
    assert said in capsys.readouterr().err
    assert not list(site.layout.analysis.glob("*_*"))
    assert not (site.layout.forge / "pulls" / "0001.md").exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (["--prompt", "X={file}"], "has no prompt surface X"),
        (["--prompt", "LEVERS_SYSTEM_PROMPT={file}"], "This candidate is the baseline"),
        (["--prompt", "LEVERS_SYSTEM_PROMPT={file}.old"], "the file cannot be read"),
        (["--pr", "99"], "99"),
        (["--branch", "nope"], "'nope' is not a commit"),
        (["--candidates", "1", "--generator", "dspy-miprov2"], "plumbline[dspy]"),
        (["--from-synthesis"], "has no synthesis yet"),
        (["--from-synthesis", "--max-iterations", "2"], "has no synthesis yet"),
        (["--pr", "99", "--max-iterations", "2", "--force"], "99"),
    ],
)
def test_candidate_that_cannot_be_takes_no_number(
    make_site: Make,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    source: list[str],
    said: str,
) -> None:
    """The refusal comes before an iteration has a folder, of which nothing would ever come."""
    if said == "plumbline[dspy]":
        monkeypatch.setattr(thread_bridge, "find_spec", lambda _: None)
    site = make_site(GOOD)
    words = site.words(GOOD)
    file = words[words.index("--prompt") + 1].partition("=")[2]
    del words[words.index("--prompt") : words.index("--prompt") + 2]
    assert main([*words, *(word.format(file=file) for word in source)]) == 2
    assert said in capsys.readouterr().err
    assert not list(site.layout.analysis.glob("*_*"))


def _answered(site: IterationSite) -> Counter[tuple[str, ...]]:
    """Return how often each call of the runs was answered."""
    result: Counter[tuple[str, ...]] = Counter()
    for path in runs(site.layout):
        for attempt in Run(path).attempts():
            if attempt.status == "ok":
                result[path.name, attempt.cell, attempt.key, str(attempt.repeat)] += 1
    return result


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PROMPT_LAB_DIR"}
