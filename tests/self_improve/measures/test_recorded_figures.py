"""The 48 figures that were recorded about the history come out of the reading of its runs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rubrics import load
from rubrics.rubric import Rubric
from self_improve.measures.measured import MeasuredRun
from self_improve.measures.measurer import Measurer
from self_improve.records import cell_reading, run_reading
from self_improve.records.cell_reading import CellReading, Content, Refusal
from tools import unpacked

STEP = "identify_potential_levers"
TEXTS = ("name", "consequences", "options", "review")
CHAIN = ("Immediate:", "Systemic:", "Strategic:")

Levers = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Side:
    """The runs of one side of an iteration, as far as a figure is about them."""

    runs: tuple[Path, ...]

    @property
    def cells(self) -> list[CellReading]:
        """The cells of all runs."""
        return [cell for path in self.runs for cell in record(path).cells]

    @property
    def contents(self) -> list[tuple[str, Content]]:
        """The plan and the content of each cell that can be measured."""
        return [one for path in self.runs for one in contents(path)]

    @property
    def levers(self) -> Levers:
        """Every lever of the cleaned form."""
        return [lever for _, content in self.contents for lever in content.clean]

    @property
    def measured(self) -> list[MeasuredRun]:
        """The runs by the step's rubric."""
        return [measured(path) for path in self.runs]


def rubric() -> Rubric:
    """Return the rubric of the step."""
    of_step = load.find(STEP)
    assert of_step is not None
    return of_step


@cache
def record(path: Path) -> run_reading.RunReading:
    """Return a run as it is read."""
    return run_reading.read(path, rubric())


@cache
def contents(path: Path) -> list[tuple[str, Content]]:
    """Return the content of each cell of a run that can be measured, with its plan."""
    texts = []
    for cell in record(path).cells:
        if cell.is_ok:
            try:
                texts.append((cell.plan, cell.content()))
            except Refusal:
                continue
    return texts


@cache
def measured(path: Path) -> MeasuredRun:
    """Return a run by the step's rubric."""
    return Measurer(rubric()).run(path)


@cache
def iterations() -> dict[int, tuple[tuple[Path, ...], tuple[Path, ...]]]:
    """Return the runs before and after each iteration."""
    history = unpacked.history()
    with (unpacked.RECORDED / "iterations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def paths(numbers: str) -> tuple[Path, ...]:
        return tuple(history / f"{number}_{STEP}" for number in numbers.split())

    return {
        int(row["iteration"]): (paths(row["before_runs"]), paths(row["after_runs"]))
        for row in rows
        if row["before_runs"]
    }


def side(runs: Sequence[Path], scope: str) -> Side:
    """Return the runs of a side that a figure is about: all, or those of one model."""
    chosen = [
        path for path in runs if scope in {"all", "7 models"} or scope in record(path).run.model
    ]
    return Side(tuple(path for path in chosen if record(path).cells))


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def option_chars(one: Side) -> float:
    """Return the mean length of an option."""
    return mean([len(option) for lever in one.levers for option in lever["options"]])


def chars(field: str) -> Callable[[Side], float]:
    """Return what gives the mean length of a field."""
    return lambda one: mean([len(lever[field]) for lever in one.levers])


def successes(one: Side) -> tuple[int, int]:
    """Return how many cells the record calls ok, of how many."""
    return sum(cell.is_ok for cell in one.cells), len(one.cells)


def levers(one: Side) -> int:
    """Return the number of levers, as measured."""
    return sum(cell.items or 0 for run in one.measured for cell in run.cells)


def repeated_names(one: Side) -> float:
    """Return the repeated names a plan."""
    return mean(
        [
            len(c.clean) - len({lever["name"].casefold() for lever in c.clean})
            for _, c in one.contents
        ]
    )


def unique_names(one: Side) -> tuple[int, int]:
    """Return the distinct names, plan by plan, of all levers."""
    distinct = sum(len({lever["name"].casefold() for lever in c.clean}) for _, c in one.contents)
    return distinct, len(one.levers)


def texts(lever: Mapping[str, Any]) -> list[str]:
    """Return the texts of a lever."""
    return [lever["name"], lever["consequences"], *lever["options"], lever["review"]]


def copies(one: Side) -> tuple[int, int]:
    """Return the levers that hold a phrase of the prompt's example."""
    return sum(any("25% faster" in t for t in texts(v)) for v in one.levers), len(one.levers)


def chained(lever: Mapping[str, Any]) -> bool:
    """Whether the consequences hold the three labels that a prompt once asked for."""
    return all(label in lever["consequences"] for label in CHAIN)


def unchained(one: Side) -> tuple[int, int]:
    """Return the levers without the chain of labels."""
    return sum(not chained(lever) for lever in one.levers), len(one.levers)


def with_chain(one: Side) -> tuple[int, int]:
    """Return the levers with the chain of labels."""
    return sum(chained(lever) for lever in one.levers), len(one.levers)


def claims(one: Side) -> int:
    """Return the numbers that a percent sign follows."""
    return sum(len(re.findall(r"\d\s*%", t)) for lever in one.levers for t in texts(lever))


def unique_reviews(one: Side) -> tuple[int, int]:
    """Return the distinct reviews of all levers."""
    return len({lever["review"].casefold() for lever in one.levers}), len(one.levers)


@cache
def raw(path: Path) -> list[Any]:
    """Return the responses in the raw artifacts of a run."""
    return [
        response
        for cell in record(path).cells
        if cell.is_ok
        for response in json.loads(
            (cell.folder / "002-9-potential_levers_raw.json").read_text(encoding="utf-8")
        )["responses"]
    ]


def bad_summaries(one: Side) -> tuple[int, int]:
    """Return the summaries that do not begin as a prompt once asked for."""
    texts = [response.get("summary") or "" for path in one.runs for response in raw(path)]
    return sum(not text.startswith("Add") for text in texts), len(texts)


def names_across_calls(one: Side) -> int:
    """Return the names of later replies that an earlier reply had."""
    count = 0
    for _, content in one.contents:
        seen: set[str] = set()
        for reply in content.replies:
            names = [lever["name"].casefold() for lever in reply]
            count += sum(name in seen for name in names)
            seen |= set(names)
    return count


def against_baseline(field: str) -> Callable[[Side], float]:
    """Return what gives the length of a field over that of the baseline plans."""

    def ratio(one: Side) -> float:
        rubric_of_step = rubric()
        plans = sorted({plan for plan, _ in one.contents})
        base = [
            item
            for plan in plans
            for item in cell_reading.plan_cell(plan, unpacked.plans("train") / plan, rubric_of_step)
            .content()
            .clean
        ]
        return _mean_length(one.levers, field) / _mean_length(base, field)

    return ratio


def _mean_length(result: Levers, field: str) -> float:
    values = [lever[field] for lever in result]
    flat = [t for value in values for t in (value if isinstance(value, list) else [value])]
    return mean([len(text) for text in flat])


MEASURES: dict[str, Callable[[Side], Any]] = {
    "avg option chars": option_chars,
    "avg consequence chars": chars("consequences"),
    "avg review chars": chars("review"),
    "avg duplicate names/file": repeated_names,
    "unique names": unique_names,
    "unique reviews": unique_reviews,
    "option count violations": lambda one: sum(len(v["options"]) != 3 for v in one.levers),
    "success": successes,
    'prompt-example copy "25% faster"': copies,
    "consequence chain violations": unchained,
    "consequence chain present": with_chain,
    "levers": levers,
    "% claims": claims,
    "bad summaries": bad_summaries,
    "raw cross-call duplicate names": names_across_calls,
    "consequences length vs baseline": against_baseline("consequences"),
    "options length vs baseline": against_baseline("options"),
    "review length vs baseline": against_baseline("review"),
}


def shown(value: Any, like: str) -> str:
    """Return a value in the form of the recorded figure `like`."""
    if isinstance(value, tuple):
        count, total = value
        return f"{count}/{total}" if "/" in like else str(count)
    decimals = len(like.partition(".")[2])
    return f"{value:.{decimals}f}"


def rows() -> list[dict[str, str]]:
    """Return the recorded figures; none where they are not there."""
    path = unpacked.RECORDED / "figures.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "row", rows(), ids=lambda row: f"{row['iteration']}-{row['metric']}-{row['scope']}"
)
def test_a_recorded_figure_comes_out(row: dict[str, str]) -> None:
    """Its definition, computed from what is read, gives the column before and the column after."""
    before, after = iterations()[int(row["iteration"])]
    measure = MEASURES[row["metric"]]
    result = (
        shown(measure(side(before, row["scope"])), row["before"]),
        shown(measure(side(after, row["scope"])), row["after"]),
    )
    assert result == (row["before"], row["after"]), row["definition"]


def test_no_figure_is_left_out() -> None:
    """All 48 are tried."""
    assert unpacked.history()
    assert len(rows()) == 48
