"""The only module that knows where things lie in a data repo."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from prompt_lab.errors import LabError

VARIABLE = "PROMPT_LAB_DIR"
SPLITS = ("train", "verify")
PER_FOLDER = 100


@dataclass(frozen=True)
class Layout:
    """The paths of one data repo. Nothing here touches the disk."""

    root: Path

    @property
    def dataset(self) -> Path:
        """The file that says which plans are in which split and where they came from."""
        return self.root / "dataset.json"

    def split(self, split: str) -> Path:
        """The directory of a split's baseline plans."""
        return self.root / "baseline" / split

    def plan(self, split: str, plan: str) -> Path:
        """The directory of one unzipped baseline plan."""
        return self.split(split) / plan

    def archive(self, split: str, plan: str) -> Path:
        """The zip that a baseline plan was unzipped from."""
        return self.split(split) / f"{plan}.zip"

    @property
    def history(self) -> Path:
        """The directory of all runs."""
        return self.root / "history"

    @property
    def numbers(self) -> Path:
        """The directory in which numbers of runs are claimed."""
        return self.history / ".numbers"

    @property
    def locks(self) -> Path:
        """The directory of the locks of runs that are being written. Not under version control."""
        return self.history / ".locks"

    def run(self, number: int, step: str) -> Path:
        """The directory of the run with this number."""
        return self.history / str(number // PER_FOLDER) / f"{number % PER_FOLDER:02d}_{step}"

    @property
    def scratch(self) -> Path:
        """The directory for cells under way, on the file system of history. Not versioned."""
        return self.root / ".scratch"

    @property
    def incoming(self) -> Path:
        """The directory for baseline plans on their way in. Only the holder of the lock uses it."""
        return self.scratch / "incoming"

    @property
    def incoming_lock(self) -> Path:
        """The lock of `incoming` and of the dataset file."""
        return self.locks / "incoming"

    @property
    def analysis(self) -> Path:
        """The directory of analyses, one folder per iteration."""
        return self.root / "analysis"

    def iteration(self, number: int, step: str) -> Path:
        """The directory of one iteration: its intent, its markers, and what was thought of it."""
        return self.analysis / f"{number}_{step}"

    @property
    def worktrees(self) -> Path:
        """The directory of the candidates' code while they are tried. Not versioned."""
        return self.root / ".worktrees"

    @property
    def forge(self) -> Path:
        """The directory of the local forge; its pull requests are Markdown, and versioned."""
        return self.root / "forge"

    @property
    def snapshots(self) -> Path:
        """The directory of plans in which improved steps' outputs lie beside the baseline."""
        return self.root / "snapshots"

    @property
    def scores(self) -> Path:
        """The directory of scoreboards."""
        return self.root / "scores"

    @property
    def scoreboard(self) -> Path:
        """One row a candidate that was judged; the first row of a step is its baseline."""
        return self.scores / "scoreboard.csv"

    @property
    def score_history(self) -> Path:
        """Every iteration with all that was measured."""
        return self.scores / "history.json"

    @property
    def failed_attempts(self) -> Path:
        """The candidates that were rejected, and why: what not to try again."""
        return self.scores / "failed_attempts.jsonl"

    def best(self, step: str) -> Path:
        """The best candidate of a step so far, with its pull request."""
        return self.scores / step / "best.json"

    @property
    def patterns(self) -> Path:
        """What earned KEEP on one step and may serve others, with where it worked and failed."""
        return self.root / "patterns.jsonl"

    @property
    def rollouts(self) -> Path:
        """The directory of what is known of prompts in production, and of the settings for it."""
        return self.root / "rollouts"

    def rollout(self, step: str) -> Path:
        """The directory of one step's versions, votes, scores and what came of them."""
        return self.rollouts / step

    @property
    def full_plan_comparisons(self) -> Path:
        """The directory of comparisons of whole plans."""
        return self.root / "full_plan_comparisons"


def number_of(run: Path) -> int:
    """Return the number of a run from its directory `history/<n // 100>/<n % 100:02d>_<step>`.

    Raises:
        ValueError: this is no such directory.
    """
    return int(run.parent.name) * PER_FOLDER + int(run.name.split("_", 1)[0])


def step_of(run: Path) -> str:
    """Return the step of a run from the name of its directory."""
    return run.name.split("_", 1)[1]


def find(given: str | Path | None) -> Layout:
    """Return the layout of the data repo that was named, or that the environment names.

    Raises:
        LabError: none is named, or what is named is no data repo.
    """
    named = given or os.environ.get(VARIABLE)
    if not named:
        raise LabError(
            f"Which data repo? Say --prompt-lab-dir DIR or set {VARIABLE}. "
            "`python -m prompt_lab init DIR` makes a new one."
        )
    root = Path(named).expanduser().resolve()
    layout = Layout(root)
    if not layout.dataset.is_file():
        raise LabError(
            f"{root} is no data repo: it has no dataset.json. "
            f"`python -m prompt_lab init {root}` makes one."
        )
    return layout


def runs(layout: Layout) -> list[Path]:
    """Return the directories of all runs, in the order of their numbers."""
    found = []
    if not layout.history.is_dir():
        return []
    for folder in layout.history.iterdir():
        if not folder.name.isdigit():
            continue
        for run in folder.iterdir():
            head, _, step = run.name.partition("_")
            if head.isdigit() and step and run.is_dir():
                found.append(run)
    return sorted(found, key=number_of)
