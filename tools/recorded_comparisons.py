"""The comparisons of the recorded iterations, measured once, for tests, tables and calibration."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from prompt_lab.baselines import Baselines
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison import repeated_runs
from self_improve.comparison.sides import measure_sides
from self_improve.measures.measurer import Measurer
from self_improve.measures.store import Store
from self_improve.verdict import noise as calibration
from self_improve.verdict.noise import Noise
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Terms
from tools import unpacked
from tools.relabelling import exchanged

STEP = "identify_potential_levers"
ALIKE = ("9", "16")
"""Iterations without a change between their sides that could have an effect."""
SAME_PROMPTS = ("9", "12", "14", "16", "17")
"""Iterations whose prompts were the same on both sides; noise is measured on these."""


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """One recorded iteration: its runs, and the decision at the time."""

    number: str
    before: tuple[Path, ...]
    after: tuple[Path, ...]
    recorded: str
    final: str
    effect: str


@cache
def iterations() -> dict[str, Iteration]:
    """Return the recorded iterations that compared something, by their number."""
    history = unpacked.history()
    with (unpacked.RECORDED / "iterations.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["before_runs"]]
    return {
        row["iteration"]: Iteration(
            number=row["iteration"],
            before=_paths(history, row["before_runs"]),
            after=_paths(history, row["after_runs"]),
            recorded=row["recorded_verdict"],
            final=row["final_decision"],
            effect=row["effect"],
        )
        for row in rows
    }


def _paths(history: Path, names: str) -> tuple[Path, ...]:
    pairs = (name.split("/") for name in names.split())
    return tuple(history / folder / f"{rest}_{STEP}" for folder, rest in pairs)


@cache
def rubric() -> Rubric:
    """Return the rubric of the recorded step."""
    step_rubric = load.find(STEP)
    assert step_rubric is not None
    return step_rubric


@cache
def measurer() -> Measurer:
    """Return the measurer of the recorded runs, with a store for all test processes."""
    store = Store(Path(tempfile.gettempdir()) / "plumbline-recorded-measures.sqlite")
    return Measurer(rubric(), baselines=Baselines((unpacked.plans("train"),)), store=store)


@cache
def pairing(number: str) -> Pairing:
    """Return the pairs of cells of an iteration."""
    one = iterations()[number]
    return measure_sides(one.before, one.after, measurer()).pairing


def noise(without: Collection[str] = ()) -> Noise:
    """Return the noise of the runs with the same prompts, without some iterations."""
    numbers = [number for number in SAME_PROMPTS if number not in without]
    return repeated_runs.noise_of([pairing(number) for number in numbers], rubric())


@cache
def stored() -> Noise:
    """Return the noise stored with the rubric, which every verdict uses."""
    return calibration.find(rubric(), load.FOLDER)


def terms(*, without: Collection[str] | None = None, flips: int = 10_000) -> Terms:
    """Return the terms of a verdict; `without` measures the noise without some iterations."""
    measured_noise = stored() if without is None else noise(without)
    return Terms(rubric=rubric(), noise=measured_noise, flips=flips)


def relabelled(count: int, *, seed: int) -> Iterator[tuple[str, int, Pairing]]:
    """Yield comparisons in turn, with the sides of each pair exchanged at random."""
    numbers = list(iterations())
    chance = np.random.default_rng(seed)
    for draw in range(count):
        number = numbers[draw % len(numbers)]
        pairs = pairing(number)
        yield number, draw, exchanged(pairs, _tossed(chance, len(pairs.pairs)))


def _tossed(chance: np.random.Generator, count: int) -> Sequence[bool]:
    tossed: list[bool] = (chance.random(count) < 0.5).tolist()
    return tossed


def half(whole: Pairing, *, seed: int) -> Pairing:
    """Return a random half of the pairs."""
    chance = np.random.default_rng(seed)
    keys = [pair.key for pair in whole.pairs]
    chosen = sorted(chance.choice(len(keys), len(keys) // 2, replace=False).tolist())
    return whole.only([keys[n] for n in chosen])
