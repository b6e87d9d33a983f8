"""Stored replies are given again by plan, repeat and call order, and never made up."""

from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from model_gateway import config, providers
from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind, Source
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from model_gateway.jsonl import Appender
from model_gateway.provider import Answer, Origin, Provider, ProviderError, Request
from model_gateway.providers.recorded import build

HISTORY = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "history.tar.xz"


def a_run(root: Path, **plans: Any) -> Path:
    """Return a run whose raw artifacts are the given ones, by plan."""
    run = root / "history" / "0" / "07_step"
    run.mkdir(parents=True, exist_ok=True)
    (run / "meta.json").write_text("{}")
    for plan, raw in plans.items():
        directory = run / "outputs" / plan
        directory.mkdir(parents=True)
        text = raw if isinstance(raw, str) else json.dumps(raw)
        (directory / "002-9-things_raw.json").write_text(text)
    return run


def an_attempt(**changes: Any) -> Attempt:
    """Return a row of `attempts.jsonl`."""
    values: dict[str, Any] = {
        "cell": "silo", "key": "one", "repeat": 0, "number": 1, "model": "m", "model_id": "m-1",
        "provider": "openai", "messages": [], "schema": None, "arguments": {},
        "max_output_tokens": 100, "text": "a", "finish_reason": "stop", "input_tokens": 7,
        "output_tokens": 3, "thinking_tokens": None, "cost": 0.1, "started": "", "seconds": 1.0,
        "status": "ok", "failure_kind": None, "failure_message": None, "source": Source.network,
    }  # fmt: skip
    return Attempt(**{**values, **changes})


def with_attempts(run: Path, *attempts: Attempt) -> Path:
    """Return the run with these rows in its journal."""
    with Appender(run / "attempts.jsonl") as rows:
        rows.append_all([attempt.to_row() for attempt in attempts])
    return run


def the_provider(run: Path, *, most: int = 4) -> Provider:
    """Return the provider of a run, for an entry that allows a number of attempts."""
    return build(
        Model(
            name="recorded", provider="recorded", model_id="r", max_attempts=most,
            options={"run": str(run)},
        )
    )  # fmt: skip


def ask(
    provider: Provider, key: str = "k", *, plan: str = "silo", repeat: int = 0, number: int = 1
) -> Answer:
    """Put one request of a step."""
    request = Request(
        model_id="r", messages=[], schema=None, schema_name="R", max_output_tokens=100,
        arguments={},
        origin=Origin(plan=plan, key=key, call_id=key, repeat=repeat, number=number, seed=0),
    )  # fmt: skip
    return asyncio.run(provider.send(request))


def test_parsed_replies_are_given_in_call_order(tmp_path: Path) -> None:
    """The n-th key that is asked gets the n-th reply, and keeps it when asked again."""
    raw = {"responses": [{"n": 1}, {"n": 2}], "metadata": {}, "system_prompt": "s"}
    provider = the_provider(a_run(tmp_path, silo=raw))
    assert provider.source is Source.recorded
    assert json.loads(ask(provider, "first").text) == {"n": 1}
    assert json.loads(ask(provider, "second").text) == {"n": 2}
    assert json.loads(ask(provider, "first", number=2).text) == {"n": 1}
    assert ask(provider, "first").input_tokens is None


def test_plans_and_repeats_have_their_own_order(tmp_path: Path) -> None:
    """Each plan begins with its first reply; repeats are in their own directory."""
    run = a_run(tmp_path, silo={"responses": ["s1", "s2"]}, game={"responses": ["g1"]})
    again = run / "repeats" / "2" / "silo"
    again.mkdir(parents=True)
    (again / "002-9-things_raw.json").write_text('{"responses": ["again"]}')
    provider = the_provider(run)
    assert ask(provider).text == "s1"
    assert ask(provider, plan="game").text == "g1"
    assert ask(provider, repeat=2).text == "again"


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        ({"response": {"a": 1}, "metadata": {}}, {"a": 1}),
        ({"topic": "t", "metadata": {}, "user_prompt": "u"}, {"topic": "t"}),
        ({"responses": {"1": {"a": 1}}, "metadata": {}}, {"a": 1}),
    ],
)
def test_other_raw_artifacts_hold_one_reply(tmp_path: Path, raw: Any, reply: Any) -> None:
    """A `response`, or the reply's own keys beside what was asked, are the reply."""
    assert json.loads(ask(the_provider(a_run(tmp_path, silo=raw))).text) == reply


def test_numbered_artifacts_come_in_their_order(tmp_path: Path) -> None:
    """The tenth file of a step that writes one per item comes after the ninth."""
    run = a_run(tmp_path)
    directory = run / "outputs" / "silo"
    directory.mkdir(parents=True)
    for n in (10, 9):
        (directory / f"022-1-{n}-d_raw.json").write_text(f'{{"response": "{n}"}}')
    provider = the_provider(run)
    assert [ask(provider, key).text for key in "ab"] == ["9", "10"]


def test_attempts_come_before_raw_artifacts(tmp_path: Path) -> None:
    """Where attempts were kept, their text, tokens and model are given."""
    run = with_attempts(a_run(tmp_path, silo={"responses": ["raw"]}), an_attempt())
    answer = ask(the_provider(run))
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("a", 7, 3)
    assert answer.model_id == "m-1"


def test_retry_gets_the_next_attempt(tmp_path: Path) -> None:
    """Attempt n gets the n-th stored one, and the last when there are no more."""
    run = with_attempts(
        a_run(tmp_path),
        an_attempt(text="bad", status="failed", failure_kind=FailureKind.schema),
        an_attempt(text="good", number=2),
        an_attempt(text="", number=3, status="cancelled"),
        an_attempt(key="two", text="other"),
    )
    provider = the_provider(run)
    assert [ask(provider, number=n).text for n in (1, 2, 3)] == ["bad", "good", "good"]
    assert ask(provider, "l").text == "other"


def test_lone_attempt_gets_the_final_text(tmp_path: Path) -> None:
    """The entry of `recorded:RUN` allows one attempt, so a call ends as it ended then."""
    run = with_attempts(
        a_run(tmp_path), an_attempt(text="bad", status="failed"), an_attempt(text="good", number=2)
    )
    assert ask(the_provider(run, most=1)).text == "good"
    entry = config.Catalogue(models=()).find(f"recorded:{run}")
    assert ask(providers.build(entry)).text == "good"


def test_known_keys_get_their_own_reply(tmp_path: Path) -> None:
    """Calls made side by side come in any order; a key in the record is never mistaken."""
    run = with_attempts(
        a_run(tmp_path), an_attempt(key="one", text="1"), an_attempt(key="two", text="2")
    )
    provider = the_provider(run)
    assert [ask(provider, key).text for key in ("two", "one")] == ["2", "1"]


def test_other_cells_and_repeats_are_left_out(tmp_path: Path) -> None:
    """Only the rows of this plan and this repeat count."""
    run = with_attempts(
        a_run(tmp_path),
        an_attempt(cell="game", text="game"),
        an_attempt(repeat=1, text="again"),
        an_attempt(cell="step/silo", text="silo"),
    )
    assert ask(the_provider(run)).text == "silo"
    assert ask(the_provider(run), repeat=1).text == "again"


@pytest.mark.parametrize(
    ("plan", "keys", "message"),
    [
        ("silo", "ab", r"0/07_step holds 1 replies for the plan 'silo'.*'b' is call number 2"),
        ("mine", "a", r"0/07_step holds no replies for the plan 'mine'"),
        ("../silo", "a", "holds no replies"),
        ("torn", "a", r"cannot be read: torn/002-9-things_raw.json"),
    ],
)
def test_missing_replies_are_reported(tmp_path: Path, plan: str, keys: str, message: str) -> None:
    """No more replies, an unknown plan and a torn record name the run and the plan."""
    run = a_run(tmp_path, silo={"responses": ["s"]}, torn='{"responses": [')
    provider = the_provider(run)
    for key in keys[:-1]:
        ask(provider, key, plan=plan)
    with pytest.raises(ProviderError, match=message) as caught:
        ask(provider, keys[-1], plan=plan)
    assert caught.value.kind is FailureKind.configuration
    assert not caught.value.billed


def test_entry_without_a_run_is_refused() -> None:
    """The message says how to ask for one."""
    with pytest.raises(ConfigError, match="recorded:RUN"):
        build(Model(name="recorded", provider="recorded", model_id="r"))


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs of the recorded history, if it is there."""
    if not HISTORY.is_file():
        pytest.skip(f"the recorded history is not there: {HISTORY}")
    prefixes = ("history/0/05_", "history/1/66_")
    root = tmp_path_factory.mktemp("recorded")
    with tarfile.open(HISTORY) as archive:
        for member in archive:
            if member.name.startswith(prefixes):
                archive.extract(member, root, filter="data")
    return sorted(path.parent for path in root.glob("history/*/*/meta.json"))


def test_real_runs_are_given_again(real_runs: list[Path]) -> None:
    """Every stored reply of a real run comes back as it stands in the raw artifact."""
    assert real_runs
    for run in real_runs:
        provider = the_provider(run)
        for raw in sorted(run.glob("outputs/*/*_raw.json")):
            stored = json.loads(raw.read_text())["responses"]
            replies = [
                json.loads(ask(provider, f"call-{n}", plan=raw.parent.name).text)
                for n in range(len(stored))
            ]
            assert replies == stored
            with pytest.raises(ProviderError):
                ask(provider, "one more", plan=raw.parent.name)
