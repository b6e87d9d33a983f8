"""The only module that knows the paths of a data repo."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from model_gateway.foreign_files import resolved
from model_gateway.invocation import typed
from prompt_lab.errors import LabError

VARIABLE = "PROMPT_LAB_DIR"
SPLITS = ("train", "verify")
PER_FOLDER = 100
_MOST_DIGITS = 12


@dataclass(frozen=True)
class Layout:
    """The paths of one data repo. Nothing here reads or writes them."""

    root: Path

    @property
    def dataset(self) -> Path:
        """The file that lists the plans of each split and their sources."""
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
        """The directory of locks. Not versioned."""
        return self.history / ".locks"

    def run(self, number: int, step: str) -> Path:
        """The directory of the run with this number."""
        return self.history / str(number // PER_FOLDER) / f"{number % PER_FOLDER:02d}_{step}"

    @property
    def scratch(self) -> Path:
        """The directory for running cells, on the file system of history. Not versioned."""
        return self.root / ".scratch"

    @property
    def incoming(self) -> Path:
        """The directory for baseline plans being added. Only the holder of its lock uses it."""
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
        """The directory of one iteration: its request, its markers, and opinions on it."""
        return self.analysis / f"{number}_{step}"

    @property
    def worktrees(self) -> Path:
        """The directory of the candidates' code while they are tested. Not versioned."""
        return self.root / ".worktrees"

    @property
    def forge(self) -> Path:
        """The directory of the local forge; its pull requests are Markdown, and versioned."""
        return self.root / "forge"

    @property
    def snapshots(self) -> Path:
        """The directory of plans that combine improved steps' outputs with the baseline."""
        return self.root / "snapshots"

    @property
    def scores(self) -> Path:
        """The directory of scoreboards."""
        return self.root / "scores"

    @property
    def scoreboard(self) -> Path:
        """One row for each tested candidate; the first row of a step is its baseline."""
        return self.scores / "scoreboard.csv"

    @property
    def score_history(self) -> Path:
        """Every iteration with all its measures."""
        return self.scores / "history.json"

    @property
    def failed_attempts(self) -> Path:
        """The rejected candidates and the reasons: what not to try again."""
        return self.scores / "failed_attempts.jsonl"

    def best(self, step: str) -> Path:
        """The best candidate of a step so far, with its pull request."""
        return self.scores / step / "best.json"

    @property
    def noise(self) -> Path:
        """The directory of what runs of identical prompts differ by, one file per step."""
        return self.root / "noise"

    @property
    def patterns(self) -> Path:
        """Changes that earned KEEP on one step and may help others, and where they failed."""
        return self.root / "patterns.jsonl"

    @property
    def rollouts(self) -> Path:
        """The directory of rollouts to production, and of their settings."""
        return self.root / "rollouts"

    def rollout(self, step: str) -> Path:
        """The directory of one step's versions, votes, scores and decisions."""
        return self.rollouts / step

    @property
    def full_plan_comparisons(self) -> Path:
        """The directory of comparisons of whole plans."""
        return self.root / "full_plan_comparisons"


def is_number(name: str) -> bool:
    """Whether a name is a number as we write them; other scripts have digits that `int` refuses."""
    return name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS


def number_of(run: Path) -> int:
    """Return the number of a run from its directory `history/<n // 100>/<n % 100:02d>_<step>`.

    Raises:
        ValueError: this is not such a directory.
    """
    return int(run.parent.name) * PER_FOLDER + int(run.name.split("_", 1)[0])


def containing(run: Path) -> Layout | None:
    """Return the data repo whose history holds the run in this directory, or None."""
    parents = run.resolve().parents
    return Layout(parents[2]) if len(parents) > 2 and parents[1].name == "history" else None


def step_of(run: Path) -> str:
    """Return the step of a run from the name of its directory."""
    return run.name.split("_", 1)[1]


def iteration_number(name: str) -> int:
    """Return the number in the name of an iteration, `<n>_<step>`; -1 for any other name."""
    head, _, step = name.partition("_")
    return int(head) if is_number(head) and step else -1


def iterations(layout: Layout) -> list[tuple[int, Path]]:
    """Return the number and directory of every iteration, in order; older records included."""
    paths = layout.analysis.iterdir() if layout.analysis.is_dir() else ()
    numbered = sorted((iteration_number(path.name), path) for path in paths)
    return [(number, path) for number, path in numbered if number >= 0]


def find(path: str | Path | None) -> Layout:
    """Return the layout of the data repo at `path`, or of the one that the environment names.

    Raises:
        LabError: none is named, or the path is not a data repo.
    """
    name = path or os.environ.get(VARIABLE)
    if not name:
        raise LabError(
            f"Which data repo? Say --prompt-lab-dir DIR or set {VARIABLE}. "
            f"To create one: {typed('lab init DIR')}"
        )
    root = resolved(name)
    layout = Layout(root)
    if not layout.dataset.is_file():
        raise LabError(
            f"{root} is not a data repo: it has no dataset.json. "
            f"To create one: {typed('lab init')} {root}"
        )
    return layout


def runs(layout: Layout) -> list[Path]:
    """Return the directories of all runs, in the order of their numbers."""
    folders = layout.history.iterdir() if layout.history.is_dir() else ()
    paths = (
        path
        for folder in folders
        if is_number(folder.name) and folder.is_dir()
        for path in folder.iterdir()
    )
    return sorted(
        (path for path in paths if iteration_number(path.name) >= 0 and path.is_dir()),
        key=number_of,
    )
