"""Whole loops on bundled plans, with simulated models and the local forge."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prompt_lab.layout import runs
from prompt_lab.record import Run
from prompt_lab.scores import Scores
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.optimizer.command_line import main
from self_improve.optimizer.rounds import KeptCandidate, latest_kept, rounds_of
from tests.self_improve.iteration.conftest import GOOD, STEP, WEAK, IterationSite, git
from tests.waiting import until

Make = Callable[[str], IterationSite]
FAST = ("--skip-downstream", "--skip-spot-check", "--analyse", "never")
MODELS = "sim-weak,sim-verbose,sim-parrot"


def words(site: IterationSite, *more: str, models: str = MODELS) -> list[str]:
    """Return the words of a loop's command."""
    return [
        "--models", models, "--repo", str(site.code), "--prompt-lab-dir",
        str(site.layout.root), *FAST, *more,
    ]  # fmt: skip


def requests(site: IterationSite) -> int:
    """Return how many attempts were sent, as recorded anywhere in the data repo."""
    return sum(
        len(path.read_bytes().splitlines()) for path in site.layout.root.rglob("reservations.jsonl")
    )


def identity(site: IterationSite, number: int, step: str = STEP) -> dict[str, Any]:
    """Return the identity of an iteration."""
    path = site.layout.iteration(number, step) / "order.json"
    row: dict[str, Any] = json.loads(path.read_text())
    return row


def test_iterations_go_on_from_the_best_under_one_cap(
    make_small_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another candidate is sought from the kept commit; a cap stops them all, a higher goes on."""
    site = make_small_site(WEAK)
    more = [*FAST, "--max-iterations", "2"]
    assert site.run(GOOD, *more, "--max-calls", "90", models=MODELS) == 3
    assert "the cap of 90 calls" in capsys.readouterr().err
    # What the calls under way have cost is unknown, but each has its room under the cap.
    assert 0 < requests(site) <= 90
    assert site.run(GOOD, *more, models=MODELS) == 0
    output = capsys.readouterr().err
    name = next(row for row in site.phase("branch")["sides"] if row["name"] != "baseline")
    second = identity(site, 1)
    assert second["base"] == name["commit"]
    assert second["loop"]["stands_on"] == f"pull request 1 ({name['branch']})"
    assert second["loop"]["start"] == git(site.code, "rev-parse", "main")
    assert "2 iterations were asked for" in output
    [page] = site.layout.analysis.glob("loop_*.md")
    assert "SIMULATED CONDITIONAL" in page.read_text()
    assert git(site.layout.root, "status", "--porcelain", "--", "analysis", "history") == ""
    sent = requests(site)
    assert site.run(GOOD, *more, models=MODELS) == 0
    assert requests(site) == sent
    assert len(list(site.layout.analysis.glob("*/order.json"))) == 2


def test_next_step_is_improved_on_the_new_outputs(
    make_small_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Upstream first; the step after it reads what the kept candidate's runs wrote.

    At the end a whole plan is made with what was kept, once however often the command is given.
    """
    site = make_small_site(WEAK)
    steps = f"enrich_levers,{STEP}"
    stage = ["--stages", "3", "--steps", steps, "--force", "--patience", "1"]
    assert main(words(site, *stage, "--max-iterations", "1")) == 0
    output = capsys.readouterr().err
    assert output.index(f"{STEP}: iteration 1") < output.index("enrich_levers: iteration 1")
    candidate = next(iter(site.phase("publish")["candidates"]))
    second = identity(site, 1, "enrich_levers")
    plans = site.layout.root / second["plans"]
    facts = json.loads((plans / "snapshot.json").read_text())
    assert facts["computed_anew"] == ["deduplicate_levers"]
    assert facts["left_out"] == {}
    [plan, _] = sorted(p.name for p in (plans / "train").iterdir())
    source = Run(site.layout.root / facts["outputs_of"][f"train/{plan}/{STEP}"])
    assert (
        source.path.relative_to(site.layout.root).as_posix() in site.phase("run")["runs"][candidate]
    )
    [name] = [n for n in source.rows()[plan, 0]["outputs"] if n.endswith("potential_levers.json")]
    new = (plans / "train" / plan / name).read_bytes()
    assert new == (source.outputs(plan) / name).read_bytes()
    assert new != (site.layout.plan("train", plan) / name).read_bytes()
    kept_side = next(row for row in site.phase("branch")["sides"] if row["name"] == candidate)
    assert second["base"] == kept_side["commit"]
    [compared] = ComparisonFolder.all(site.layout)
    result = compared.result()
    assert result is not None
    assert result["code"]["after"]["commit"] == latest(site).commit
    assert STEP in [text["step"] for text in result["code"]["after"]["holds"]]
    assert result["told"] in output
    assert compared.id in next(site.layout.analysis.glob("loop_*.md")).read_text()
    sent = requests(site)
    assert main(words(site, *stage, "--max-iterations", "1", "--max-calls", str(sent))) == 0
    assert requests(site) == sent
    assert ComparisonFolder.all(site.layout) == [compared]


def latest(site: IterationSite) -> KeptCandidate:
    """Return what the site's only loop has kept last."""
    loop = identity(site, 0)["loop"]["name"]
    best = latest_kept(rounds_of(site.layout, loop))
    assert best is not None
    return best


def test_search_does_not_start_where_nothing_is_to_gain(
    make_small_site: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A baseline of nearly full fitness ends a step before its first iteration."""
    site = make_small_site(GOOD)
    assert main(words(site, "--steps", "identify_purpose", models="sim-strong")) == 0
    assert "almost nothing can be gained" in capsys.readouterr().err
    assert list(site.layout.analysis.glob("*/order.json")) == []
    assert Scores(site.layout).rows() == []


def test_killed_loop_goes_on_without_repeating_a_call(
    make_small_site: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 in the cells of the second step's look the same command ends it."""
    site = make_small_site(GOOD)
    config = site.home / "llm_config"
    config.mkdir()
    (config / "calm.toml").write_text(
        'name = "calm"\nprovider = "simulated"\nmodel_id = "simulated/strong"\nworkers = 1\n'
        'options = { persona = "strong", latency_seconds = 0.4 }\n'
        "price = { input = 0, output = 0 }\n"
    )
    more = ["--stages", "3", "--steps", "identify_purpose,redline_gate"]
    arguments = [*words(site, *more, models="calm"), "--judge", "calm", "--proposer", "calm"]
    monkeypatch.setenv("PLUMBLINE_LLM_CONFIG", str(config))
    command = [sys.executable, "-m", "self_improve.optimizer", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(lambda: _rows(site.layout.history) >= 3, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert _rows(site.layout.history) in {3, 4}
    assert main(arguments) == 0
    assert capsys.readouterr().err.count("almost nothing can be gained") >= 2
    sent = Counter(
        (path, attempt.cell, attempt.key, attempt.number)
        for path in runs(site.layout)
        for attempt in Run(path).attempts()
    )
    assert set(sent.values()) == {1}


def _rows(history: Path) -> int:
    return sum(len(p.read_bytes().splitlines()) for p in history.rglob("outputs.jsonl"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--stages", "2"], "Which step?"),
        (["--stages", "2", "--steps", "plan_type,identify_purpose"], "Say --stages 3"),
        (["--steps", "no_such_step"], "no_such_step has no rubric"),
    ],
)
def test_steps_that_do_not_fit_are_refused(
    make_small_site: Make, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    """Before anything is run."""
    site = make_small_site(GOOD)
    assert main(words(site, *more)) == 2
    assert message in capsys.readouterr().err
    assert runs(site.layout) == []
