"""Reading runs of both forms, with what can be wrong in a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import FailureKind
from rubrics.rubric import Source
from self_improve.errors import UsageError
from self_improve.records import artifact_files, run_reading
from self_improve.records.cell_reading import CellReading, Refusal
from self_improve.records.run_facts import failure_kind_in
from tests.self_improve.subjects import (
    CLEAN,
    PLAN,
    PROMPT,
    RAW,
    STEP,
    attempt,
    failed,
    lever,
    levers,
    ok,
    older_run,
    rubric,
    run,
)
from tools import unpacked

TWO = [lever("Boat"), lever("Mooring")]


def only(path: Path, **more: Any) -> CellReading:
    """Return the one cell of a run."""
    (cell,) = run_reading.read(path, rubric(**more)).cells
    return cell


def refusal(cell: CellReading) -> str:
    """Return why a cell cannot be measured."""
    with pytest.raises(Refusal) as caught:
        cell.content()
    return caught.value.kind


def test_an_older_run_is_read_from_its_artifacts(tmp_path: Path) -> None:
    """Cleaned items, replies, prompt and input all stand in them."""
    of_step = run_reading.read(older_run(tmp_path / "0" / "07_x", {"boat": TWO}), rubric())
    content = of_step.cells[0].content()
    assert content.clean == TWO
    assert content.replies == [TWO]
    assert (content.prompt, content.input) == (PROMPT, PLAN)
    assert (of_step.evidence, of_step.run.model) == ("historical", "llama")
    assert "no commit" in of_step.reasons[0]


def test_a_run_of_today_is_read_from_its_attempts(tmp_path: Path) -> None:
    """Of each call the last attempt that succeeded, in the order of the calls."""
    attempts = [
        attempt("boat", "first", "no JSON", failure_kind=FailureKind.schema),
        attempt("moor", "first", levers("Of another cell")),
        attempt("boat", "second", f"Sure:\n```json\n{levers('C')}\n```"),
        attempt("boat", "first", levers("A", "B"), number=2),
        attempt("boat", "third", "", failure_kind=FailureKind.timeout),
    ]
    content = only(run(tmp_path / "run", {"boat": TWO}, attempts)).content()
    assert [[one["name"] for one in reply] for reply in content.replies] == [["A", "B"], ["C"]]
    assert (content.prompt, content.input) == (PROMPT, PLAN)


def test_a_reply_that_broke_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """The whole items of a partial reply count."""
    text = levers("A", "B")[:-20]
    one = attempt("boat", "first", text, status="partial", finish_reason="length")
    content = only(run(tmp_path / "run", {"boat": TWO}, [one])).content()
    assert [item["name"] for reply in content.replies for item in reply] == ["A"]


def test_a_reply_without_a_schema_is_its_text(tmp_path: Path) -> None:
    """A step may ask for prose."""
    one = attempt("boat", "first", "Just prose.", schema=None)
    path = run(tmp_path / "run", {"boat": TWO}, [one])
    content = only(path, replies=Source(artifact=RAW)).content()
    assert content.replies == [["Just prose."]]


def test_prompts_in_the_user_role_are_the_steps_own(tmp_path: Path) -> None:
    """Where the record names the constants that were sent, they are taken out of the input.

    While a run is under way its record does not, so its runner says so.
    """
    sent = "Give others than these, and write them out in full."
    messages = [{"role": "user", "content": f"{PLAN}\n\n{sent}"}]
    surfaces = [
        {"kind": "constant", "sent": True, "text": sent},
        {"kind": "constant", "sent": False, "text": "Werkstatt"},
        {"kind": "description", "sent": True, "text": "Kanal"},
    ]
    one = attempt("boat", "first", levers("A"), messages=messages)
    finished = run(tmp_path / "run", {"boat": TWO}, [one], surfaces=surfaces)
    under_way = run(tmp_path / "begun", {"boat": TWO}, [one])
    for path, so_far in ((finished, None), (under_way, {"surfaces": surfaces})):
        (cell,) = run_reading.read(path, rubric(), so_far)
        content = cell.content()
        assert content.prompt == sent
        assert content.prompt_chars == len(sent) + len("Kanal")
        assert content.input.strip() == PLAN


@pytest.mark.parametrize(
    ("provider", "recorded", "kind"),
    [
        ("openai", {"kind": "real", "reasons": []}, "real"),
        ("openai", {"kind": "historical", "reasons": ["local changes"]}, "historical"),
        ("openai", {"kind": "nonsense"}, "historical"),
        ("simulated", {"kind": "real", "reasons": []}, "simulated"),
        ("simulated", None, "simulated"),
        ("openai", None, "historical"),
    ],
)
def test_evidence_is_what_the_record_says_and_never_more(
    tmp_path: Path, provider: str, recorded: dict[str, Any] | None, kind: str
) -> None:
    """A simulated model is never real, and an unfinished run is not either."""
    path = run(tmp_path / "run", {"boat": TWO}, [], evidence=recorded, provider=provider)
    assert run_reading.read(path, rubric()).evidence == kind


def test_the_last_row_of_a_cell_counts(tmp_path: Path) -> None:
    """Errors that a rerun mended are passed over, and a torn line is not a row."""
    rows = [failed("boat", "down"), ok("boat"), failed("moor", "down")]
    path = older_run(tmp_path / "run", {"boat": TWO, "moor": None}, rows=rows)
    with (path / "outputs.jsonl").open("a") as file:
        file.write('{"name": "boat", "status": "err')
    of_step = {cell.plan: cell.is_ok for cell in run_reading.read(path, rubric())}
    assert of_step == {"boat": True, "moor": False}


def test_a_run_without_rows_has_no_cells(tmp_path: Path) -> None:
    """Some runs are empty."""
    path = older_run(tmp_path / "run", {})
    (path / "outputs.jsonl").unlink()
    assert run_reading.read(path, rubric()).cells == ()


@pytest.mark.parametrize("plan", ["..", "../..", "/etc", "a/b", "", "."])
def test_a_row_that_names_no_plan_of_this_run_is_passed_over(tmp_path: Path, plan: str) -> None:
    """A record that leads elsewhere is not followed."""
    path = older_run(tmp_path / "run", {}, rows=[ok(plan)])
    assert run_reading.read(path, rubric()).cells == ()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"[]", "no_items"),
        (b"[null]", "no_items"),
        (b"", "unreadable"),
        (b'[{"name":', "unreadable"),
        (b"\xff\xfe\x00", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b"[" + b"9" * 5000 + b"]", "unreadable"),
    ],
)
def test_ok_can_hide_an_artifact_that_is_none(tmp_path: Path, data: bytes, kind: str) -> None:
    """What cannot be measured is a failure of its cell, whatever the row says."""
    assert refusal(only(older_run(tmp_path / "run", {"boat": data}))) == kind


def test_ok_can_hide_a_missing_artifact(tmp_path: Path) -> None:
    """The cell has failed."""
    assert refusal(only(older_run(tmp_path / "run", {"boat": None}))) == "unreadable"


def test_an_artifact_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    """Nor is it read beyond the limit."""
    path = older_run(tmp_path / "run", {"boat": TWO})
    with (path / "outputs" / "boat" / CLEAN).open("wb") as file:
        file.truncate(artifact_files.MOST_BYTES + 1)
    assert refusal(only(path)) == "too_large"


def test_both_generations_of_names_are_read(tmp_path: Path) -> None:
    """The same artifact without its number will do."""
    path = older_run(tmp_path / "run", {"boat": TWO})
    (path / "outputs" / "boat" / CLEAN).rename(path / "outputs" / "boat" / "levers.json")
    assert only(path).content().clean == TWO


def test_numbered_artifacts_are_one_source_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """10 comes after 9, and a name that only begins alike is another artifact."""
    path = older_run(tmp_path / "run", {"boat": TWO})
    folder = path / "outputs" / "boat"
    for number in (10, 9, 1):
        (folder / f"5-{number}-part.json").write_text(json.dumps({"items": [f"n{number}"]}))
    (folder / "5-1-part.json.old").write_text("{}")
    content = only(path, clean=Source(artifact="5-<n>-part.json", items="items")).content()
    assert content.clean == ["n1", "n9", "n10"]


def test_items_can_stand_in_several_places(tmp_path: Path) -> None:
    """One after the other, without the facts of the call beside them."""
    path = older_run(tmp_path / "run", {"boat": TWO})
    value = {"a": ["x"], "b": {"c": ["y"]}, "metadata": {"d": "z"}}
    (path / "outputs" / "boat" / CLEAN).write_text(json.dumps(value))
    source = Source(artifact=CLEAN, items=("a", "b.c", "none"))
    assert only(path, clean=source).content().clean == ["x", "y"]
    whole = only(path, clean=Source(artifact=CLEAN)).content().clean
    assert whole == [{"a": ["x"], "b": {"c": ["y"]}}]


def test_an_artifact_of_prose_is_one_text(tmp_path: Path) -> None:
    """Not every step writes JSON."""
    path = older_run(tmp_path / "run", {"boat": TWO})
    (path / "outputs" / "boat" / "1-page.md").write_text("# Boats\n")
    assert only(path, clean=Source(artifact="1-page.md")).content().clean == ["# Boats\n"]


def test_a_cell_changes_its_digest_with_anything_that_is_measured(tmp_path: Path) -> None:
    """Its row, its artifacts, its attempts; and it is the same when nothing changed."""
    one = attempt("boat", "first", levers("A"))
    path = run(tmp_path / "run", {"boat": TWO}, [one])
    seen = {only(path).digest}
    assert only(path).digest in seen
    (path / "outputs" / "boat" / CLEAN).write_text("[1]")
    seen.add(only(path).digest)
    (path / "attempts.jsonl").write_text(json.dumps(attempt("boat", "k", "x").to_row()) + "\n")
    seen.add(only(path).digest)
    (path / "outputs.jsonl").write_text(json.dumps(ok("boat", duration_seconds=7)) + "\n")
    seen.add(only(path).digest)
    assert len(seen) == 4


def test_tokens_of_older_runs_with_several_workers_are_unknown(tmp_path: Path) -> None:
    """There every plan was charged for the calls of all; with one worker they are right."""
    usage = [{"input_tokens": 10, "output_tokens": 5}, {"duration_seconds": 1}]
    result = {}
    for workers in (1, 4):
        path = older_run(tmp_path / f"run{workers}", {"boat": TWO}, workers=workers)
        text = "".join(json.dumps(row) + "\n" for row in usage)
        (path / "outputs" / "boat" / "usage_metrics.jsonl").write_text(text)
        result[workers] = only(path).usage.get("input_tokens")
    assert result == {1: 10, 4: None}


def test_an_older_run_tells_which_cells_were_recovered(tmp_path: Path) -> None:
    """In its events."""
    path = older_run(tmp_path / "run", {"boat": TWO, "moor": TWO})
    event = {"event": "partial_recovery", "plan_name": "moor", "calls_succeeded": 2}
    (path / "events.jsonl").write_text(json.dumps(event) + "\n")
    assert [cell.partial for cell in run_reading.read(path, rubric())] == [False, True]


def test_a_run_of_another_step_is_refused(tmp_path: Path) -> None:
    """A rubric measures its own step only."""
    with pytest.raises(UsageError, match=rf"is a run of {STEP}"):
        run_reading.read(older_run(tmp_path / "run", {}), rubric(step="other"))


def test_a_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """Without a readable meta.json there is no run."""
    with pytest.raises(UsageError, match="not a run"):
        run_reading.read(tmp_path, rubric())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ('ValueError("Cannot create LLM, the llm_name is not found")', "configuration"),
        ("AuthenticationError(\"Error code: 401 - {'error'}\")", "configuration"),
        ("RateLimitError('Error code: 429')", "rate_limit"),
        ("APITimeoutError('Request timed out.')", "timeout"),
        ("ReadTimeout('')", "timeout"),
        ("InternalServerError('Error code: 500')", "server"),
        ("1 validation error for X\n  Invalid JSON: EOF while parsing a list", "truncated"),
        ("4 validation errors for X\nlevers\n  Field required", "schema"),
        ("ValueError('Could not extract json string from output')", "schema"),
        ("KeyError('levers')", None),
        ("", None),
    ],
)
def test_errors_of_older_records_have_kinds(error: str, kind: str | None) -> None:
    """By the exceptions of the clients of that time."""
    assert failure_kind_in(error) == kind


def test_the_last_attempt_of_an_older_record_names_the_failure() -> None:
    """What earlier attempts met did not end the cell."""
    error = "Summary:\n - Attempt 0 ReadTimeout('')\n - Attempt 1 RateLimitError('')"
    assert failure_kind_in(error) == "rate_limit"


def test_every_failure_in_the_recorded_history_has_a_kind() -> None:
    """None of the 166 runs holds an error of unknown kind."""
    levers_rubric = rubric(step="identify_potential_levers")
    runs = sorted(unpacked.history().glob("*/*_identify_potential_levers"))
    cells = [cell for path in runs for cell in run_reading.read(path, levers_rubric)]
    assert len(runs) == 166
    assert len(cells) == 820
    assert all(cell.failure_kind is not None for cell in cells if not cell.is_ok)
