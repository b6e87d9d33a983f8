"""What may be compared: only what is tested may differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from self_improve.comparison.comparability import check
from self_improve.errors import UsageError

Make = Callable[..., Path]
META = {
    "schema_version": 1,
    "step": "find",
    "speed": "ALL_DETAILS_BUT_SLOW",
    "host": "h1",
    "model": {"primary": "a", "name": "a", "provider": "openai", "arguments": {"temperature": 0}},
    "inputs": {"boat": {"001-2-plan.txt": "d1"}},
    "code": {"commit": "c0", "digest": "k0"},
    "candidate": {"digest": "t0", "surfaces": []},
    "surfaces": {"find:PROMPT": "s0"},
}
CANDIDATE = {"candidate": {"digest": "t1", "surfaces": ["find:PROMPT"]}, "surfaces": {
    "find:PROMPT": "s1",
}}  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what writes a run's record, with some of its facts changed."""
    count = iter(range(100))

    def written(
        changes: Mapping[str, Any] | None = None,
        *,
        sources: tuple[str, ...] = ("network",),
        day: int = 1,
        without: tuple[str, ...] = (),
    ) -> Path:
        path = tmp_path / "history" / "0" / f"{next(count):02d}_find"
        path.mkdir(parents=True)
        meta = {**META, **(changes or {})}
        for key in without:
            meta.pop(key)
        (path / "meta.json").write_text(json.dumps(meta))
        row = {"name": "boat", "repeat": 0, "error": None, "sources": list(sources)}
        (path / "outputs.jsonl").write_text(json.dumps(row) + "\n")
        times = [f"2026-11-0{day}T10:{minute:02d}:00Z" for minute in (0, 30)]
        (path / "events.jsonl").write_text(
            "".join(json.dumps({"timestamp": time, "event": "e"}) + "\n" for time in times)
        )
        return path

    return written


def test_sides_that_differ_in_the_candidate_only_may_be_compared(make: Make) -> None:
    """The surface that was changed is named."""
    records = check([make()], [make(CANDIDATE)])
    records.require()
    assert (records.refusals, records.unknown) == ((), ())
    assert records.changed == ("candidate", "surface find:PROMPT")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": "other"}, "different step"),
        ({"speed": "PING_LLM"}, "different speed mode"),
        ({"host": "h2"}, "different host file"),
        (
            {"model": {**META["model"], "arguments": {"temperature": 1}}},  # type: ignore[dict-item]
            "a had different settings: arguments",
        ),
        (
            {"inputs": {"boat": {"001-2-plan.txt": "d2"}}},
            "boat had different inputs: 001-2-plan.txt",
        ),
        ({"code": {"digest": "k1"}}, "code and candidate texts were changed at once"),
        (
            {"model": {"primary": "b", "provider": "openai", "arguments": {}}},
            "no model on both sides: a before, b after",
        ),
    ],
)
def test_a_known_difference_is_refused_and_named(
    make: Make, changes: dict[str, Any], message: str
) -> None:
    """Whatever else is right."""
    records = check([make()], [make({**CANDIDATE, **changes})])
    with pytest.raises(UsageError, match=message):
        records.require()


def test_every_difference_is_named_at_once(make: Make) -> None:
    """So that one new run can put all of them right."""
    records = check([make()], [make({"speed": "PING_LLM", "host": "h2"})])
    assert len(records.refusals) == 3


@pytest.mark.parametrize("source", ["cache", "recorded"])
@pytest.mark.parametrize("is_before", [True, False])
def test_reused_replies_are_refused(make: Make, source: str, is_before: bool) -> None:  # noqa: FBT001 - pytest's
    """They may be the other side's, which would hide every difference."""
    reused, fresh = make(CANDIDATE, sources=("network", source)), make()
    records = check([reused], [fresh]) if is_before else check([fresh], [reused])
    assert f"has replies from {source}" in records.refusals[0]


def test_a_run_cannot_be_on_both_sides(make: Make) -> None:
    """It is named, and nothing is said that follows from it."""
    one = make()
    records = check([one], [one, make({"model": {"name": "b", "provider": "simulated"}})])
    assert records.refusals == records.faults == (f"{one} is on both sides",)
    with pytest.raises(UsageError, match=r"on both sides\nName each run once, on one side\.$"):
        records.require()


def test_nothing_changed_is_refused_unless_that_is_what_is_said(make: Make) -> None:
    """Two equal sides are noise, which has a command of its own."""
    one, same, other = make(), make(), make(CANDIDATE)
    assert "nothing was changed" in check([one], [same]).refusals[0]
    assert check([one], [same], claim="alike").refusals == ()
    assert "claimed to be alike" in check([one], [other], claim="alike").refusals[0]


def test_simulated_models_are_not_compared_with_real_ones(make: Make) -> None:
    """Even if they carry one name."""
    simulated = {"model": {**META["model"], "provider": "simulated"}}  # type: ignore[dict-item]
    records = check([make()], [make({**CANDIDATE, **simulated})])
    assert "some models are simulated and some are real" in records.refusals


@pytest.mark.parametrize(
    ("without", "unknown"),
    [
        ("speed", "speed mode"),
        ("inputs", "digests of the inputs"),
        ("code", "digest of the code"),
    ],
)
def test_what_a_record_lacks_is_unknown_and_no_difference(
    make: Make, without: str, unknown: str
) -> None:
    """Older records say less, and may still be looked at."""
    records = check([make(without=(without,))], [make(CANDIDATE)])
    assert records.refusals == ()
    assert unknown in records.unknown


def test_of_older_records_nearly_everything_is_unknown(tmp_path: Path) -> None:
    """They name step and model only; nothing is refused, and nothing is taken as certain."""
    paths = []
    for number in (0, 1):
        path = tmp_path / "history" / "0" / f"0{number}_find"
        path.mkdir(parents=True)
        (path / "meta.json").write_text(json.dumps({"step": "find", "model": {"primary": "a"}}))
        (path / "outputs.jsonl").write_text('{"name": "boat", "status": "ok", "error": null}\n')
        paths.append(path)
    records = check(paths[:1], paths[1:])
    assert records.refusals == ()
    assert set(records.unknown) == {
        "speed mode", "host file", "models' arguments", "digests of the inputs",
        "where the replies came from", "digest of the code",
    }  # fmt: skip


def test_sides_run_in_one_stretch_of_time_are_together(make: Make) -> None:
    """Nothing that drifts from batch to batch comes between them."""
    assert check([make()], [make(CANDIDATE)]).together
    assert not check([make(day=1)], [make(CANDIDATE, day=2)]).together


def test_both_sides_must_have_a_run(make: Make) -> None:
    """An empty side is wrong usage."""
    with pytest.raises(UsageError, match="at least one run"):
        check([make()], [])
