"""The readers of the project, each with the files it reads, on a small data repo of every kind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway import entry_files, journal, ledger, program_journal
from model_gateway.errors import GatewayError
from model_gateway.exits import exit_code
from model_gateway.jsonl import read_rows
from model_gateway.provider import ProviderError
from model_gateway.providers.recorded import Recorded
from prompt_lab import command_line as lab_commands
from prompt_lab import patterns, work_folder
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from prompt_lab.scores import Best, Score, Scores
from prompt_lab.unzip import UnzipLimits, unpack
from rubrics import load as rubric_files
from self_improve import compare, evaluate
from self_improve.forge.forge import PullState, Status, StatusState
from self_improve.forge.pages import Front, Pages
from self_improve.host import contract, plans
from self_improve.host.plans import BaselinePlan
from self_improve.iteration.folder import IterationFolder
from self_improve.rollback import command_line as rollback
from self_improve.rollout import command_line as rollout
from self_improve.rollout import settings, version
from self_improve.verdict import noise

ROOT = Path(__file__).parents[2]
STEP, COMMIT = "plan_type", "0123456789abcdef0123456789abcdef01234567"
_RUN = "history/0/00_plan_type"


@dataclass(frozen=True)
class Kind:
    """One kind of file: its name, where it is in the template, and what reads it."""

    name: str
    files: Sequence[str]
    read: Callable[[Path], int]
    codes: frozenset[int] = frozenset({0})


def _quietly(read: Callable[[Path], object]) -> Callable[[Path], int]:
    """Return a reader as the command that calls it would end."""

    def call(root: Path) -> int:
        def work() -> int:
            read(root)
            return 0

        return exit_code(work)

    return call


def _evaluate(root: Path) -> int:
    return evaluate.main([str(root / _RUN), "--no-store", "--json"])


def _compare(root: Path) -> int:
    sides = ["--before", str(root / _RUN), "--after", str(root / "history/0/01_plan_type")]
    return compare.main([*sides, "--seed", "1", "--alike"])


def _of_lab(command: str) -> Callable[[Path], int]:
    return lambda root: lab_commands.main([command, "--prompt-lab-dir", str(root)])


def _patterns(root: Path) -> int:
    return patterns.main(["--prompt-lab-dir", str(root)])


def _rollback(root: Path) -> int:
    return rollback.main([STEP, "--list", "--prompt-lab-dir", str(root)])


def _rollout(root: Path) -> int:
    return rollout.main(["status", "--step", STEP, "--prompt-lab-dir", str(root)])


def _iterations(root: Path) -> None:
    folder = IterationFolder.latest(Layout(root), {"step": STEP})
    for one in IterationFolder.all(Layout(root)):
        one.result("propose")
    assert folder is None or folder.id


def _analysis(root: Path) -> None:
    from analysis.record import Record  # above the optimizer's readers in the layers of packages

    record = Record(Layout(root), root / "analysis/0_plan_type")
    assert record.meta is not None
    record.opinions()
    record.materials()


def _spent(root: Path) -> None:
    run = root / _RUN
    ledger.spent_before(read_rows(run / "reservations.jsonl")[0], Run(run).attempts())
    journal.FileJournal(run / "attempts.jsonl")
    program_journal.spent_on_programs(root / "counsel/programs.jsonl")


def _recorded(root: Path) -> None:
    provider: Any = Recorded(root / _RUN, one_attempt=False)
    try:
        provider._from_attempts("20260401_tool_library", 0)
        provider._from_raw("20260401_tool_library", 0)
    except ProviderError as error:
        # The gateway makes it the failure of the cell that asked.
        raise GatewayError(f"{_RUN}: {error}") from error


def _pages(root: Path) -> None:
    pages = Pages(root / "forge")
    for number in pages.numbers():
        pages.pull(number)
        pages.comments(number)
    pages.status(COMMIT)


def _noise(root: Path) -> None:
    rubric = rubric_files.find(STEP)
    assert rubric is not None
    noise.find(rubric, root / "rubrics")


def _zip(root: Path) -> None:
    into = root / ".scratch/unzipped"
    shutil.rmtree(into, ignore_errors=True)
    archive = root / "baseline/train/20260401_tool_library.zip"
    limits = UnzipLimits(total_bytes=50_000_000)
    unpack(archive, into, called=archive.name, limits=limits)


def _plan(root: Path) -> None:
    plan = root / "baseline/train/20260401_tool_library"
    problem = plans._fault_in(plan / "001-2-plan.txt")
    assert BaselinePlan(name=plan.name, path=plan)
    if problem is not None:
        from self_improve.errors import UsageError  # what `inputs_of` raises of such problems

        raise UsageError(f"{plan.name}: 001-2-plan.txt {problem}")


def _prompt(root: Path) -> None:
    from self_improve.iteration.request import _content  # the command's own, not for others

    _content(f"S={root / 'prompt.txt'}")


_HISTORY = ("meta.json", "done.json", "outputs.jsonl", "surfaces.json", "attempts.jsonl",
            "events.jsonl", "usage_metrics.jsonl")  # fmt: skip
_CELL = f"{_RUN}/outputs/20260401_tool_library"
KINDS = (
    Kind("history", [f"{_RUN}/{name}" for name in _HISTORY], _evaluate),
    Kind("history, compared", [f"{_RUN}/{name}" for name in _HISTORY], _compare),
    Kind("artifacts", [f"{_CELL}/002-7-plan_type_raw.json", f"{_CELL}/002-8-plan_type.md",
                       f"{_CELL}/usage_metrics.jsonl", f"{_CELL}/row.json"], _evaluate),
    Kind("data repo", ["dataset.json", f"{_RUN}/meta.json", f"{_RUN}/done.json",
                       f"{_RUN}/events.jsonl", f"{_RUN}/outputs.jsonl"], _of_lab("status")),
    Kind("scores", ["scores/scoreboard.csv", "scores/history.json"], _of_lab("progress")),
    Kind("bests", ["scores/scoreboard.csv", "scores/history.json", f"scores/{STEP}/best.json"],
         _rollback),
    Kind("patterns", ["patterns.jsonl"], _patterns),
    Kind("rollout", [f"rollouts/{STEP}/log.jsonl", f"rollouts/{settings.FILE}"], _rollout),
    Kind("versions", ["version.json"], _quietly(lambda r: version.read(r / "version.json"))),
    Kind("iterations", ["analysis/0_plan_type/order.json",
                        "analysis/0_plan_type/phases/propose.json"], _quietly(_iterations)),
    Kind("analysis", ["analysis/0_plan_type/meta.json", "analysis/0_plan_type/agents.json",
                      "analysis/0_plan_type/insight_a.json"], _quietly(_analysis)),
    Kind("journals", [f"{_RUN}/reservations.jsonl", f"{_RUN}/attempts.jsonl",
                      "counsel/programs.jsonl"], _quietly(_spent)),
    Kind("recorded", [f"{_RUN}/attempts.jsonl", f"{_CELL}/002-7-plan_type_raw.json"],
         _quietly(_recorded)),
    Kind("rubrics", [f"rubrics/{STEP}.yaml"],
         _quietly(lambda r: rubric_files.load(r / f"rubrics/{STEP}.yaml"))),
    Kind("noise", [f"rubrics/noise/{STEP}.json"], _quietly(_noise)),
    Kind("hosts", ["host.toml"], _quietly(lambda r: contract.load(r / "host.toml"))),
    Kind("models", ["llm_config/one.toml", "llm_config/defaults.toml"],
         _quietly(lambda r: entry_files.load([r / "llm_config"]))),
    Kind("pull requests", ["forge/pulls/0001.md", "forge/pulls/0001.verdict.md",
                           f"forge/statuses/{COMMIT}.yaml"], _quietly(_pages)),
    Kind("zips", ["baseline/train/20260401_tool_library.zip"], _quietly(_zip)),
    Kind("plans", ["baseline/train/20260401_tool_library/001-2-plan.txt"], _quietly(_plan)),
    Kind("prompts", ["prompt.txt"], _quietly(_prompt)),
)  # fmt: skip


def build(root: Path) -> None:
    """Create the data repo that the kinds name files of."""
    _command("prompt_lab", "init", str(root))
    sample = ROOT / "prompt_lab/samples/train/20260401_tool_library.zip"
    repo = ("--prompt-lab-dir", str(root))
    _command("prompt_lab", "populate", str(sample), "--split", "train", *repo)
    for seed in ("1", "2"):
        _command("self_improve.runner", "--step", STEP, "--model", "sim", "--repeats", "2",
                 "--seed", seed, *repo)  # fmt: skip
    layout = Layout(root)
    _scores(layout)
    _work(layout)
    for name, text in {
        "patterns.jsonl": json.dumps(_PATTERN) + "\n",
        f"rollouts/{settings.FILE}": settings.Settings().text(),
        "version.json": json.dumps({"texts": {"m:A": "text"}, "commit": COMMIT}),
        "counsel/programs.jsonl": json.dumps(
            {program_journal.BEGUN: {"a": 1}, "calls": 1, "tokens": 2, "dollars": 0.1}
        ) + "\n",
        f"rubrics/{STEP}.yaml": (rubric_files.FOLDER / f"{STEP}.yaml").read_text(),
        f"rubrics/noise/{STEP}.json": json.dumps(
            {"step": STEP, "rubric_version": 1, "batches": 3, "pairs": 9}
        ),
        "host.toml": contract.EMBEDDED.read_text(),
        "llm_config/one.toml": _MODEL,
        "llm_config/defaults.toml": 'default_models = ["one"]\n',
        "prompt.txt": "A text.\n",
    }.items():  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    old = json.dumps({"texts": {"m:A": "older"}, "commit": COMMIT})
    (root / "old.json").write_text(old, encoding="utf-8")
    _command("self_improve.rollout", "start", "--step", STEP, "--new", str(root / "version.json"),
             "--old", str(root / "old.json"), *repo)  # fmt: skip


def _command(module: str, *words: str) -> None:
    subprocess.run([sys.executable, "-m", module, *words], check=True, capture_output=True)


def _scores(layout: Layout) -> None:
    common: dict[str, Any] = {
        "step": STEP, "date": "2026-01-01", "baseline_score": 0.1, "best_score": None,
        "interval": (0.0, 0.2), "split": "train", "models": ("sim",), "cost": None,
        "commit": COMMIT,
    }  # fmt: skip
    scores = Scores(layout)
    for number, verdict in enumerate(("BASELINE", "SIMULATED YES")):
        score = Score(**common, candidate=f"c{number}", candidate_score=0.2, delta=0.1,
                      verdict=verdict, iteration=f"{number}_{STEP}")  # fmt: skip
        scores.add(score, {"reasons": ["a reason"], "texts": {"m:A": "text"}})
    scores.set_best(
        Best(
            step=STEP,
            candidate="c1",
            score=0.2,
            commit=COMMIT,
            pull_request="1",
            iteration=f"1_{STEP}",
            texts={"m:A": "text"},
            simulated=True,
        )
    )


def _work(layout: Layout) -> None:
    folder = IterationFolder.begin(layout, STEP, {"step": STEP})
    rows: dict[str, Any] = {
        "phases/propose.json": {"drafts": [{"id": "a", "texts": {}}]},
        "meta.json": {"evidence": "simulated", "outputs": ["prompt.txt"], "step": STEP},
        "agents.json": {"agents": [{"name": "a"}], "prompts": {}},
        "insight_a.json": {
            "phase": "insight", "agent": "a", "model_id": "m", "simulated": True,
            "prompt_digest": "0", "stance": "support", "reason": "r", "failed": None,
            "findings": [{"path": "a.md", "line": 1, "quote": "abc", "found": 1}],
            "answer": {"stance": "support"},
        },
    }  # fmt: skip
    for name, row in rows.items():
        path = folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row), encoding="utf-8")
    pages = Pages(layout.forge)
    front = Front(number=1, title="A", state=PullState.open, branch="b", base="main", head=COMMIT)
    pages.write_pull(front, "A body.")
    pages.write_comment(1, "verdict", "A comment.")
    pages.write_status(COMMIT, Status(state=StatusState.success, description="d"))
    assert work_folder.IDENTITY == "order.json"


_PATTERN = {
    "pattern": "p", "change": "say less", "step": STEP, "iteration": "1", "candidate": "c",
    "word": "KEEP", "end": "YES", "effect": 0.1, "models": ["sim"], "status": "worked",
    "excerpts": {"removed": [], "added": []}, "simulated": True,
}  # fmt: skip
_MODEL = """\
name = "one"
provider = "openai"
model_id = "m"
base_url = "http://127.0.0.1:9/v1"
workers = 4

[price]
input = 1.0
output = 2.0
"""
