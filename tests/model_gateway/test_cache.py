"""Kept replies save money, are never mixed up, and never stand in the way."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_gateway.attempts import CallOutcome
from model_gateway.cache import Cache, default_path
from model_gateway.call import FailureKind, Source
from model_gateway.door import Question
from model_gateway.exchange import Caller, NoObserver
from model_gateway.gateway import Gateway
from model_gateway.journal import NoJournal
from model_gateway.provider import Answer
from tests.model_gateway.conftest import Scripted, a_model, built_from
from tests.model_gateway.tiny_disk import PAGE, fill, tiny_disk

ANSWER = Answer(text="a fig", finish_reason="stop", input_tokens=3, output_tokens=2, cost=0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the cache is to be."""
    return tmp_path / "deep" / "replies.sqlite"


def caller(cache: Cache | None, **changes: Any) -> Caller:
    """Return a cell that uses `cache`."""
    plain = Caller(
        cell="silo", plan="silo", repeat=0, seed=1, models=(a_model(),), journal=NoJournal(),
        observer=NoObserver(), cache=cache,
    )  # fmt: skip
    return replace(plain, **changes)


def ask(provider: Scripted, *callers: Caller, **changes: Any) -> list[CallOutcome]:
    """Let cells ask the same thing one after the other."""
    values: dict[str, Any] = {"key": "fruit", "messages": [{"role": "user", "content": "Any?"}]}
    question = Question(**{**values, **changes})

    async def scenario() -> list[CallOutcome]:
        async with Gateway(build=built_from(provider)) as gateway:
            return [await gateway.answer(question, caller) for caller in callers]

    return asyncio.run(scenario())


def test_answer_is_given_again_and_marked(path: Path) -> None:
    """Another run of the same request asks nobody, costs nothing and says where it was found."""
    provider = Scripted("a fig", "a plum")
    cache = Cache(path)
    first, second = ask(provider, caller(cache), caller(cache, cell="barn", plan="barn"))
    cache.close()
    assert len(provider.requests) == 1
    assert (first.attempt.source, second.attempt.source) == (Source.network, Source.cache)
    assert (second.attempt.text, second.attempt.input_tokens) == ("a fig", 10)
    assert (second.attempt.cost, second.attempt.seconds) == (0.0, 0.0)


@pytest.mark.parametrize(
    "other",
    [
        {"repeat": 1},
        {"models": (a_model(model_id="scripted-2"),)},
        {"models": (a_model(provider="other"),)},
        {"models": (a_model(options={"num_ctx": 9}),)},
        {"models": (a_model(arguments={"temperature": 1.0}),)},
        {"models": (a_model(base_url="http://127.0.0.1:9"),)},
        {"models": (a_model(class_path="other:Class"),)},
        {"models": (a_model(max_output_tokens=7),)},
    ],
    ids=["repeat", "id", "provider", "options", "arguments", "server", "class", "bound"],
)
def test_another_request_is_asked(path: Path, other: dict[str, Any]) -> None:
    """A reply is never given to a request that another model or setting would have answered."""
    provider = Scripted("a fig", "a plum")
    cache = Cache(path)
    ended = ask(provider, caller(cache), caller(cache, **other))
    cache.close()
    assert [outcome.attempt.text for outcome in ended] == ["a fig", "a plum"]


@pytest.mark.parametrize("other", [{"seed": 2}, {"plan": "barn"}], ids=str)
def test_simulated_answers_belong_to_their_seed_and_plan(path: Path, other: dict[str, Any]) -> None:
    """A simulated model answers by what is not in the request, so its replies are kept by that."""
    provider = Scripted("a fig", "a plum")
    cache = Cache(path)
    simulated = caller(cache, models=(a_model(provider="simulated"),))
    ended = ask(provider, simulated, replace(simulated, **other), replace(simulated, cell="barn"))
    cache.close()
    assert [outcome.attempt.text for outcome in ended] == ["a fig", "a plum", "a fig"]


def test_replies_that_say_nothing_are_not_kept(path: Path) -> None:
    """An empty or declined reply is asked for again by the next run."""
    declined = Answer(text="no", finish_reason="refusal")
    provider = Scripted("", declined, "a fig")
    cache = Cache(path)
    once = caller(cache, models=(a_model(max_attempts=1),))
    kinds = [o.failure and o.failure.kind for o in ask(provider, once, once, once)]
    cache.close()
    assert kinds == [FailureKind.empty, FailureKind.refused, None]


def test_first_answer_stays(path: Path) -> None:
    """Of two processes that kept the same request, the later one changes nothing."""
    cache = Cache(path)
    cache.put("digest", ANSWER)
    cache.put("digest", replace(ANSWER, text="a plum"))
    assert cache.get("digest") == ANSWER
    assert cache.get("other") is None
    cache.close()


def test_any_text_is_kept_as_it_was(path: Path) -> None:
    """Quotes and line ends survive, half characters become whole ones, for another process, too."""
    answer = replace(ANSWER, text='\ud83d"\r\n\x00\u2028 ü')
    cache = Cache(path)
    cache.put("digest", answer)
    cache.close()
    again = Cache(path)
    assert again.get("digest") == replace(answer, text='\ufffd"\r\n\x00\u2028 ü')
    again.close()


WRITER = """
import sys
from pathlib import Path
from model_gateway.cache import Cache
from model_gateway.provider import Answer
sys.stdin.readline()
cache = Cache(Path(sys.argv[1]))
for n in range(100):
    cache.put(f"{sys.argv[2]}-{n}", Answer(text=sys.argv[2]))
    assert cache.get(f"{sys.argv[2]}-{n}") is not None
cache.close()
"""


def test_processes_share_one_file(path: Path) -> None:
    """Processes that begin a new cache at the same moment all keep all their replies."""
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen(
            [*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in "abc"
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
    assert [writer.communicate() for writer in writers] == [(b"", b"")] * 3
    cache = Cache(path)
    answers = [cache.get(f"{name}-{n}") for name in "abc" for n in range(100)]
    cache.close()
    assert answers == [Answer(text=name) for name in "abc" for _ in range(100)]


def _no_directory(path: Path) -> None:
    path.parent.write_text("a file where the directory should be")


def _no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, " * 500)


def _foreign_table(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE replies (something TEXT)")
    database.close()


def _directory(path: Path) -> None:
    path.mkdir(parents=True)


@pytest.mark.parametrize("spoil", [_no_directory, _no_database, _foreign_table, _directory])
def test_unusable_file_is_done_without(
    path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on without a cache, and one warning names the file and the remedy."""
    spoil(path)
    cache = Cache(path)
    provider = Scripted("a fig")
    ended = ask(provider, caller(cache), caller(cache))
    cache.close()
    assert [outcome.failure for outcome in ended] == [None, None]
    assert len(provider.requests) == 2
    [warning] = caplog.messages
    assert str(path) in warning
    assert "delete the file" in warning


def test_file_that_breaks_during_a_run_is_done_without(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the file is damaged under way, later calls are asked and still answered."""
    cache = Cache(path)
    cache.put("digest", ANSWER)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE replies")
    other.close()
    provider = Scripted("a fig")
    ended = ask(provider, caller(cache), caller(cache))
    assert [outcome.failure for outcome in ended] == [None, None]
    assert cache.get("digest") is None
    assert len(caplog.messages) == 1


def test_full_disk_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A reply that finds no room is given to the step all the same."""
    with tiny_disk(tmp_path / "disk") as disk:
        cache = Cache(disk / "replies.sqlite")
        fill(disk, leave=0)
        [ended] = ask(Scripted("x" * 4 * PAGE), caller(cache))
        cache.close()
    assert ended.failure is None
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("junk", ["{", "[]", '{"text": "a", "mood": 1}', '{"mood": 1}', "null"])
def test_entry_that_cannot_be_read_is_asked_again(path: Path, junk: str) -> None:
    """An answer stored by another version does not count, and is replaced."""
    cache = Cache(path)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("INSERT INTO replies VALUES ('digest', ?)", (junk,))
    database.close()
    assert cache.get("digest") is None
    cache.put("digest", ANSWER)
    assert cache.get("digest") == ANSWER
    cache.close()


def test_entries_are_plain_json(path: Path) -> None:
    """What is kept can be read by any tool that reads SQLite and JSON."""
    cache = Cache(path)
    cache.put("digest", ANSWER)
    cache.close()
    database = sqlite3.connect(path)
    [(row,)] = database.execute("SELECT answer FROM replies")
    database.close()
    assert json.loads(row)["text"] == "a fig"


def test_cache_lies_in_the_users_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Users who move their caches find this one there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "plumbline" / "replies.sqlite"
