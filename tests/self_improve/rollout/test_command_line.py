"""`python -m self_improve.rollout` as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from prompt_lab.git import Git
from prompt_lab.init import init
from prompt_lab.layout import Layout
from self_improve import runner
from self_improve.rollout.command_line import main
from self_improve.rollout.log import Log
from self_improve.rollout.version import gets_new, may_vote
from tests.self_improve.commands import Ran, called
from tests.self_improve.lab import laboratory
from tests.self_improve.rollout.street import NEW, OLD, STEP


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Return a data repo, with two versions in files beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    init(tmp_path / "lab")
    monkeypatch.setenv("PROMPT_LAB_DIR", str(tmp_path / "lab"))
    for name, version in (("new", NEW), ("old", OLD)):
        row = {"texts": dict(version.texts), "commit": version.commit}
        (tmp_path / f"{name}.json").write_text(json.dumps(row))
    return Layout(tmp_path / "lab")


def rollout(*words: str | Path) -> Ran:
    """Run the command for the step."""
    return called(main, [*words, "--step", STEP])


def start(layout: Layout, by: str = "scores") -> None:
    """Begin a rollout."""
    place = layout.root.parent
    ran = rollout("start", "--new", place / "new.json", "--old", place / "old.json", "--by", by)
    assert ran.code == 0, ran.err


def test_first_hour_of_a_rollout(layout: Layout) -> None:
    """Start, assign, score, status, advance; what begins is committed."""
    start(layout)
    assigned = rollout("assign", "plan-1", "--json").json
    assert assigned["version"]["id"] in {OLD.id, NEW.id}
    assert set(assigned["version"]) >= {"texts", "commit", "pull_request", "digest"}
    words = ("score", "plan-1", "0.8", "--version", assigned["version"]["id"])
    assert [rollout(*words).out for _ in range(2)] == [
        "Recorded.\n", "The same was recorded before.\n",
    ]  # fmt: skip
    assert "at 5 % against" in rollout("status").out
    waiting = rollout("advance", "--json")
    assert (waiting.code, waiting.json["action"]) == (4, "wait")
    assert Git(layout.root)("log", "-1", "--format=%s") == f"rollout of {STEP}: {NEW.id} begins"


def test_vote_is_up_or_down(layout: Layout) -> None:
    """A vote of a plan that is shown is recorded as 1 or 0."""
    start(layout, by="votes")
    salt = Log(layout, STEP).rows()[-1]["salt"]
    plan = next(
        plan
        for plan in map(str, range(100))
        if may_vote(plan, STEP, salt, 0.5) and not gets_new(plan, STEP, salt, 5)
    )
    assert rollout("vote", plan, "down", "--version", OLD.id).code == 0
    assert Log(layout, STEP).rows()[-1]["value"] == 0.0


def test_rollback_says_that_something_was_against_it(layout: Layout) -> None:
    """The old version has all plans again; the reason is shown as text."""
    start(layout)
    ran = rollout("rollback", "--reason", "<b>@all</b> readers complain")
    assert ran.code == 0
    assert "@all" not in ran.out
    assert rollout("assign", "p", "--json").json["version"]["id"] == OLD.id


def test_watch_prints_the_search_and_spends_nothing_without_a_cap(layout: Layout) -> None:
    """Too few marks are exit code 4; --search alone is refused before anything is written."""
    start(layout)
    ran = rollout("watch", "--search")
    assert (ran.code, "set a cap" in ran.err) == (2, True)
    assert Log(layout, STEP).rows()[-1]["kind"] == "start"
    assert rollout("watch").code == 4
    log = Log(layout, STEP)
    log.append({"kind": "search", "phase": "called", "why": "at 75% of the best"})
    ran = rollout("watch", "--models", "sim", "--max-cost", "2.5")
    assert ran.code == 1
    assert ran.out.splitlines()[-1].strip() == (
        f"python run_optimization_iteration.py --step {STEP} --candidates 3 --models sim "
        "--max-cost 2.5"
    )


def test_settings_are_printed(layout: Layout) -> None:
    """Those of the data repo, or those of the package."""
    layout.rollouts.mkdir()
    (layout.rollouts / "settings.toml").write_text("marks = 7\n")
    assert "marks = 7\n" in called(main, ["settings"]).out
    assert "marks = 30\n" in called(main, ["settings", "--defaults"]).out


@pytest.mark.parametrize(
    "words",
    [
        ("start",), ("advance",), ("watch",), ("rollback", "--reason", "x"),
        ("score", "p", "1", "--version", "0123"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_exit_code_2(layout: Layout, words: tuple[str, ...]) -> None:
    """With a message, and nothing is written."""
    ran = rollout(*words)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert not Log(layout, STEP).path.exists()


def test_step_that_would_be_a_path_is_refused(layout: Layout) -> None:
    """No file appears outside of `rollouts/`."""
    ran = called(main, ["rollback", "--step", "../../x", "--reason", "x"])
    assert (ran.code, "is not a step" in ran.err) == (2, True)


def test_drift_check_on_simulated_models_is_labelled_and_committed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two simulated models, asked again, are SIMULATED; log and runs are in git."""
    with laboratory(layout.root.parent, monkeypatch):
        monkeypatch.delenv("PLUMBLINE_LLM_CONFIG")
        shutil.copytree(layout.root.parent / "plans", layout.split("train"), dirs_exist_ok=True)
    monkeypatch.setenv("PROMPT_LAB_DIR", str(layout.root))
    rows = called(runner.main, ["--step", STEP, "--models", "sim,sim-weak", "--split", "train"])
    assert rows.code == 0, rows.err
    dry = called(main, ["drift", "--against", "0", "1", "--dry-run"])
    assert (dry.code, dry.out.splitlines()[-1]) == (0, "Nothing was sent.")
    ran = called(main, ["drift", "--against", "0", "1", "--max-calls", "50", "--json"])
    assert ran.json["told"].startswith("SIMULATED ")
    assert [model["model"] for model in ran.json["models"]] == ["sim-strong", "sim-weak"]
    assert ran.code == {"ALIKE": 0, "CHANGED": 1, "INCONCLUSIVE": 4}[ran.json["told"].split()[1]]
    files = Git(layout.root)("ls-files", "rollouts", "history").splitlines()
    assert f"rollouts/{STEP}/log.jsonl" in files
    assert any(name.startswith("history/0/03_") for name in files)
    assert "drift check" in called(main, ["status"]).out
