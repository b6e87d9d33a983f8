"""When a loop ends, and what it goes on from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prompt_lab.layout import Layout
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.judgement import rubric_of
from self_improve.optimizer.rounds import (
    KeptCandidate,
    Round,
    latest_kept,
    plateau,
    read,
    rounds_of,
)
from self_improve.verdict import noise
from self_improve.verdict.noise import Noise, Spread

STEP = "identify_potential_levers"
RUBRIC = rubric_of(STEP)
NOISE = noise.assumed(RUBRIC)
KEPT = KeptCandidate(
    candidate="c", branch="plumbline/c", commit="1" * 40, pull_request=4, summary="YES", gain=1.0,
    deviation=1.0, drift=1.4, pairs=16,
)  # fmt: skip


def rounds(*gains: float | None) -> list[Round]:
    """Return iterations that gained so much; None kept nothing."""
    folder = IterationFolder(Layout(Path("lab")), Path("lab/analysis/0_x"))
    return [
        Round(
            folder=folder, step=STEP, base="0" * 40, finished=True,
            kept=None if gain is None else replace(KEPT, gain=gain),
        )
        for gain in gains
    ]  # fmt: skip


def test_level_is_reached_when_nothing_was_kept() -> None:
    """As many iterations as the patience without a better candidate end a step."""
    sentence = plateau(rounds(2.0, None, None), 2, RUBRIC, NOISE)
    assert sentence is not None
    assert "the last 2 iterations gained +0.00" in sentence


@pytest.mark.parametrize("gains", [(None,), (2.0, None), (None, 2.0)])
def test_level_is_not_reached_early(gains: tuple[float | None, ...]) -> None:
    """Fewer iterations than the patience, or one that gained, go on."""
    assert plateau(rounds(*gains), 2, RUBRIC, NOISE) is None


def test_gain_within_the_noise_is_none() -> None:
    """1.96 standard errors of 1.0 x 1.4 / √16 are .69: .6 is within, .8 is not."""
    assert plateau(rounds(0.6), 1, RUBRIC, NOISE) is not None
    assert plateau(rounds(0.8), 1, RUBRIC, NOISE) is None


def test_noise_of_several_gains_adds_up_in_squares() -> None:
    """Four gains of .3 are 1.2, which is within 1.96 x √4 x .35 = 1.37."""
    assert plateau(rounds(0.3, 0.3, 0.3, 0.3), 4, RUBRIC, NOISE) is not None
    assert plateau(rounds(0.4, 0.4, 0.4, 0.4), 4, RUBRIC, NOISE) is None


def test_calibration_stands_in_for_a_deviation_that_is_unknown() -> None:
    """Else twice the smallest effect that matters does."""
    unknown = replace(KEPT, deviation=None)
    measured = Noise(
        step=STEP, rubric_version=1, batches=3, pairs=30, composite=Spread(deviation=2.0, pairs=30)
    )
    assert unknown.error(RUBRIC, measured) == pytest.approx(2.0 * 1.4 / 4)
    assert unknown.error(RUBRIC, NOISE) == pytest.approx(2 * RUBRIC.minimal_effect * 1.4 / 4)


def test_last_that_was_kept_is_the_best() -> None:
    """Every candidate that was kept was better than the one before it."""
    result = latest_kept(rounds(1.0, 0.5, None))
    assert result is not None
    assert result.gain == 0.5
    assert latest_kept(rounds(None)) is None


def begun(root: Path, loop: str) -> IterationFolder:
    """Return an iteration that was begun for a loop."""
    layout = Layout(root)
    return IterationFolder.begin(
        layout, STEP, {"step": STEP, "base": "0" * 40, "loop": {"name": loop}}
    )


def end(folder: IterationFolder, ended: str, word: str = "KEEP", **said: Any) -> None:
    """Write the markers of an iteration that ended so."""
    composite = {"effect": 1.5, "deviation": 1.0, "drift": 1.4, "pairs": 9}
    side = {"name": "c", "branch": "plumbline/c", "commit": "2" * 40, "pull_request": 3}
    result: dict[str, Any] = {
        "evaluate": {"candidates": {"c": {"word": word, "composite": composite}}},
        "branch": {"sides": [side]},
        "analyse": said,
        "publish": {"candidates": {"c": {"end": ended, "told": ended, "url": "u"}}},
    }
    (folder.path / "phases").mkdir()
    for name, row in result.items():
        (folder.path / "phases" / f"{name}.json").write_text(json.dumps(row))


@pytest.mark.parametrize(
    ("ended", "word", "said", "goes_on"),
    [
        ("YES", "KEEP", {}, True),
        ("CONDITIONAL", "KEEP", {"skipped": "x"}, True),
        ("CONDITIONAL", "KEEP", {"objections": ["it invents"]}, False),
        ("CONDITIONAL", "KEEP", {"judge": -1}, False),
        ("CONDITIONAL", "INCONCLUSIVE", {"judge": 1}, False),
        ("INCONCLUSIVE", "INCONCLUSIVE", {}, False),
        ("NO", "REJECT", {}, False),
    ],
)
def test_loop_builds_on_what_nobody_doubted(
    tmp_path: Path, ended: str, word: str, said: dict[str, Any], *, goes_on: bool
) -> None:
    """A check that was skipped is not a doubt; an objection or the judge's dislike is."""
    folder = begun(tmp_path, "a")
    end(folder, ended, word, **said)
    result = read(folder)
    assert result.ends == (ended,)
    assert (result.kept is not None) is goes_on


def test_loops_do_not_share_iterations(tmp_path: Path) -> None:
    """Each finds its own, in their order, unfinished ones included."""
    one, other, two = begun(tmp_path, "a"), begun(tmp_path, "b"), begun(tmp_path, "a")
    end(one, "YES")
    result = rounds_of(Layout(tmp_path), "a")
    assert [(r.folder.path, r.finished) for r in result] == [(one.path, True), (two.path, False)]
    assert [r.folder.path for r in rounds_of(Layout(tmp_path), "b")] == [other.path]
