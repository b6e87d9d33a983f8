"""An iteration that could not end is refused before its first cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prompt_lab.init import init
from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.iteration.command_line import parser
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.readiness import require_ready
from self_improve.iteration.request import IterationRequest, request_of

ENTRY = """\
name = "{name}"
provider = "openai"
model_id = "{name}-1"
base_url = "http://127.0.0.1:9/v1"
key_env = "READY_{upper}_KEY"
"""
STEP = "identify_potential_levers"

Ask = Callable[[str], IterationRequest]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return what makes a request of options; the model `m` has a key, no program is installed."""
    init(tmp_path / "lab")
    (tmp_path / "llm_config").mkdir()
    for name in ("m", "a", "b", "j"):
        entry = ENTRY.format(name=name, upper=name.upper())
        (tmp_path / "llm_config" / f"{name}.toml").write_text(entry, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLUMBLINE_LLM_CONFIG", str(tmp_path / "llm_config"))
    monkeypatch.setenv("READY_M_KEY", "sk-of-m")

    def made(words: str) -> IterationRequest:
        where = f"--prompt-lab-dir {tmp_path}/lab --repo {tmp_path} --base main"
        return request_of(parser().parse_args(f"--step {STEP} --model m {where} {words}".split()))

    return made


@pytest.mark.parametrize("words", ["--branch b", "--branch b --analyse always"])
def test_agents_are_needed_before_anything_is_spent(ask: Ask, words: str) -> None:
    """Where they may be asked, and nobody can be."""
    with pytest.raises(UsageError, match=r"Two agents are needed\. Name them with --agents"):
        require_ready(ask(f"{words} --judge m"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            "--agents a,b",
            "a (an agent; --agents names another): the environment variable READY_A_KEY",
        ),
        ("--agents m", "Two agents are needed, not m"),
        ("--agents m,nobody", "There is no model 'nobody'"),
        ("--agents m,codex", "The program codex is not installed"),
        (
            "--agents a,m --judge j",
            "j (the judge; --judge names another): the environment variable READY_J_KEY",
        ),
        ("--skip-analysis --models m,a", "a: the environment variable READY_A_KEY is not set"),
    ],
)
def test_what_is_missing_is_named(ask: Ask, words: str, problem: str) -> None:
    """All of it at once."""
    with pytest.raises(UsageError) as refused:
        require_ready(ask(f"--branch b {words}"))
    assert problem in str(refused.value)


def test_proposers_need_their_keys(ask: Ask) -> None:
    """A search would pay for the baseline's cells first."""
    with pytest.raises(UsageError, match="READY_B_KEY"):
        require_ready(ask("--candidates 1 --proposer b --skip-analysis"))
    require_ready(ask("--branch b --proposer b --skip-analysis"))


def test_nothing_is_missed_where_nobody_is_asked(ask: Ask) -> None:
    """Without an analysis, or with models that have their keys."""
    require_ready(ask("--branch b --skip-analysis"))
    require_ready(ask("--branch b --agents m,sim-critic --judge m"))


def test_what_is_done_needs_nothing(ask: Ask, tmp_path: Path) -> None:
    """An iteration whose agents have answered is resumed without them."""
    request = ask("--branch b")
    folder = IterationFolder.begin(Layout(tmp_path / "lab"), STEP, request.identity("0" * 40))
    with pytest.raises(UsageError):
        require_ready(request, folder)
    (folder.path / "phases").mkdir()
    for phase in ("propose", "run", "analyse"):
        (folder.path / "phases" / f"{phase}.json").write_text("{}", encoding="utf-8")
    require_ready(request, folder)
