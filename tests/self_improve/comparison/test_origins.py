"""Where outputs come from: one run or two, which prompt, which inputs, which model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from self_improve.comparison.comparability import check, check_one
from self_improve.errors import UsageError
from tests.self_improve.subjects import (
    PLAN,
    RAW,
    STEP,
    attempt,
    lever,
    levers,
    ok,
    older_run,
    resealed,
    run,
)  # fmt: skip

CELLS = {plan: [lever(f"{plan} boat"), lever(f"{plan} pier")] for plan in ("boat", "moor")}


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return the directory of runs."""
    return tmp_path / "lab" / "history"


def older(history: Path, number: int, **texts: str) -> Path:
    """Write a run of the older form; `texts` replace the prompt or the input of each artifact."""
    rows = [ok(plan, duration_seconds=float(number)) for plan in CELLS]
    path = older_run(history / "0" / f"{number:02d}_{STEP}", CELLS, rows=rows)
    for plan in CELLS:
        raw = path / "outputs" / plan / RAW
        value = json.loads(raw.read_text(encoding="utf-8"))
        filled = {key: text.replace("PLAN", plan) for key, text in texts.items()}
        raw.write_text(json.dumps({**value, **filled}), encoding="utf-8")
    return path


def today(history: Path, number: int, reported: str | None, **more: Any) -> Path:
    """Write a finished run of today's form that a model of this id has answered."""
    asked = [
        attempt(plan, "first", levers(plan), started=str(number), reported_model=reported, **more)
        for plan in CELLS
    ]
    path = history / "0" / f"{number:02d}_{STEP}"
    run(path, CELLS, asked, evidence={"kind": "real", "reasons": []}, rows={"sources": ["network"]})
    return resealed(path, candidate={"digest": str(number)}, code={"digest": "c"})


def refusals(before: Path, after: Path, **more: Any) -> str:
    """Return why two runs may not be compared."""
    return "\n".join(check([before], [after], **more).refusals)


@pytest.mark.parametrize("how", ["link", "relative", "copy"])
@pytest.mark.parametrize("form", ["older", "today"])
def test_a_run_counts_once_however_it_is_named(
    history: Path, monkeypatch: pytest.MonkeyPatch, how: str, form: str
) -> None:
    """As a link, by a path from here, or as a copy in another directory."""
    one = older(history, 1) if form == "older" else today(history, 1, "m")
    other = history / "0" / f"09_{STEP}"
    if how == "link":
        other.symlink_to(one)
    elif how == "copy":
        shutil.copytree(one, other)
    else:
        monkeypatch.chdir(history)
        other = Path("0") / one.name
    after = older(history, 2) if form == "older" else today(history, 2, "m")
    assert "twice on the side before" in check([one, other], [after]).refusals[0]
    assert "is on both sides" in check([one], [other]).refusals[0]
    assert "twice on the side after" in check_one([one, other]).refusals[0]


def test_different_runs_are_not_taken_for_one(history: Path) -> None:
    """Not even with the same outputs."""
    assert "same run" not in refusals(older(history, 1), older(history, 2))
    assert "same run" not in refusals(today(history, 3, "m"), today(history, 4, "m"))


def test_answers_of_another_model_are_a_known_difference(history: Path) -> None:
    """The name in the entry is the same; a check of drift looks for just that."""
    before, after = today(history, 1, "m-0301"), today(history, 2, "m-0826")
    assert "answered by different models: m-0301 before, m-0826 after" in refusals(before, after)
    assert "different models" not in refusals(before, after, other_models=True)
    silent = today(history, 3, None)
    assert "different models" not in refusals(before, silent)
    assert "the model that answered llama on one side" in check([before], [silent]).unknown


def test_fallbacks_are_not_the_models_own_answers(history: Path) -> None:
    """They have a reason of their own why the run does not count as real evidence."""
    before = today(history, 1, "m")
    assert "different models" not in refusals(before, today(history, 2, "other", fallback=True))


def test_sides_that_several_models_answered_are_refused(history: Path) -> None:
    """On both sides alike, which shows nothing of either model."""
    for number in (1, 2):
        path = today(history, number, "m-1")
        lines = (path / "attempts.jsonl").read_text().splitlines()
        lines[1] = lines[1].replace("m-1", "m-2")
        (path / "attempts.jsonl").write_text("\n".join(lines) + "\n")
        resealed(path)
    records = check([history / "0" / f"01_{STEP}"], [history / "0" / f"02_{STEP}"])
    [refusal] = [one for one in records.refusals if "several models" in one]
    assert "llama was answered by several models on both sides (m-1, m-2)" in refusal


def test_what_a_step_asked_for_while_it_ran_is_an_input(history: Path) -> None:
    """Its digest is in the rows, because nobody knew of it when the run began."""
    paths = [today(history, number, "m") for number in (1, 2, 3)]
    for path, digest in zip(paths, "aab", strict=True):
        lines = (path / "outputs.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) | {"late_inputs": {"late.txt": digest}} for line in lines]
        (path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        resealed(path)
    assert "different inputs" not in refusals(paths[0], paths[1])
    assert "had different inputs: late.txt" in refusals(paths[0], paths[2])


def test_a_side_of_older_records_is_of_one_prompt(history: Path) -> None:
    """By the prompts that their artifacts hold."""
    first, other = older(history, 1), older(history, 2, system_prompt="Give two levers.")
    after = older(history, 3)
    assert "before are of more than one prompt" in "\n".join(
        check([first, other], [after]).refusals
    )
    assert check([first], [other]).refusals == ()
    assert "claimed to be alike" in refusals(first, other, claim="alike")


def test_an_older_record_that_names_another_prompt_is_refused(history: Path) -> None:
    """It was run on another branch, say; prompts that are filled in by plan have no such digest."""
    path, filled = older(history, 1), older(history, 3, system_prompt="Levers of PLAN, please.")
    for one in (path, filled):
        meta = json.loads((one / "meta.json").read_text())
        (one / "meta.json").write_text(json.dumps({**meta, "system_prompt_sha256": "0" * 64}))
    assert "another prompt than its meta.json names" in refusals(path, older(history, 2))
    assert "another prompt than" not in "\n".join(check_one([filled]).refusals)


def test_older_records_with_other_inputs_are_refused(history: Path) -> None:
    """Unless the words around all of them were changed in the same way."""
    first, other = older(history, 1), older(history, 2)
    raw = other / "outputs" / "moor" / RAW
    raw.write_text(json.dumps({**json.loads(raw.read_text()), "user_prompt": "Another plan."}))
    assert "moor had different inputs" in refusals(first, other)
    around = older(history, 3, user_prompt=f"The plan:\n{PLAN}")
    assert "different inputs" not in refusals(first, around)


def test_an_altered_run_is_refused_with_what_restores_it(history: Path) -> None:
    """By the name of the file."""
    before, after = today(history, 1, "m"), today(history, 2, "m")
    (after / "events.jsonl").write_text("{}\n")
    (after / "attempts.jsonl").write_text("")
    meta = json.loads((after / "meta.json").read_text())
    meta |= {"speed": "another", "model": {**meta["model"], "provider": "simulated"}}
    (after / "meta.json").write_text(json.dumps(meta))
    for records in (check([before], [after]), check_one([after])):
        assert "is altered: attempts.jsonl was changed" in records.refusals[0]
        assert records.faults == records.refusals
        assert len(records.refusals) == 1  # What an altered record shows is not what was run.
        with pytest.raises(UsageError) as refused:
            records.require()
        assert "Run both sides" not in str(refused.value)
