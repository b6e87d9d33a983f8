"""What GitHub alone can do to us: errors, limits, lost answers, strangers, and the token."""

from __future__ import annotations

import base64
import logging
import os
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from self_improve.errors import UsageError
from self_improve.forge import github_access
from self_improve.forge.forge import (
    ForgeError,
    MissingError,
    MovedError,
    PullState,
    RefusedError,
    Status,
    StatusState,
    UnreachableError,
)
from self_improve.forge.github import GitHubForge
from self_improve.forge.github_access import Access
from tests.forge import harness
from tests.forge.conftest import CHECK
from tests.forge.harness import GitHubHarness, commit, git
from tests.forge.server import TOKEN, Fault, Server
from tests.forge.test_forges import BRANCH, opened, pushed

BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=502, body="<html>Bad gateway</html>"),
        Fault(status=503, headers={"Retry-After": "7"}),
        Fault(status=429, headers={"Retry-After": "7"}),
        Fault(status=403, headers={"Retry-After": "7"}),
        Fault(status=403, body={"message": "You have exceeded a secondary rate limit"}),
        Fault(status=403, body={"message": "API rate limit exceeded for user"},
              headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
        Fault(drop=True),
    ],
)  # fmt: skip
def test_trouble_that_passes_is_waited_out(github: GitHubHarness, fault: Fault) -> None:
    """As long as GitHub wishes, where it says so."""
    pushed(github)
    number = opened(github).number
    github.repo.faults.append(Fault(**{**vars(fault), "where": "GET .*/pulls/1$", "times": 2}))
    assert github.forge.pull(number).number == number
    assert len(github.pauses) == 2
    if "Retry-After" in fault.headers:
        assert github.pauses == [7, 7]


def test_waiting_follows_a_date(github: GitHubHarness) -> None:
    """`Retry-After` may be one, and the limit says when it ends."""
    pushed(github)
    soon = time.time() + 50
    github.repo.faults += [
        Fault(status=429, headers={"Retry-After": formatdate(soon, usegmt=True)}),
        Fault(status=429, headers={"X-RateLimit-Remaining": "0",
                                   "X-RateLimit-Reset": str(int(soon))}),
    ]  # fmt: skip
    github.forge.pull_of(BRANCH)
    assert all(45 < pause < 55 for pause in github.pauses)
    assert len(github.pauses) == 2


def test_trouble_that_stays_is_reported(github: GitHubHarness) -> None:
    """After a bounded number of requests."""
    github.repo.faults.append(Fault(status=502, times=99))
    with pytest.raises(UnreachableError, match=r"owner/repo-\d+ on .*too many 502 error responses"):
        github.forge.pull(1)
    assert len(github.repo.requests) == 3
    assert 0 == github.pauses[0] < github.pauses[1] <= 3


def test_longer_wait_than_we_have_is_reported_at_once(github: GitHubHarness) -> None:
    """An hour's wait is the user's decision, and the message says how long it is."""
    github.repo.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(UnreachableError, match="next request in 3600 seconds"):
        github.forge.pull(1)
    assert github.pauses == []


def test_silence_has_a_limit(tmp_path: Path, originals: Path, server: Server) -> None:
    """A server that takes the request and says nothing is not waited for."""
    there = harness.github(tmp_path, originals, server, retries=0, timeout=1)
    there.repo.faults.append(Fault(delay=3))
    with pytest.raises(UnreachableError, match=r"cannot be reached \(ReadTimeoutError\)"):
        there.forge.pull(1)


def test_server_that_is_down_is_reported(tmp_path: Path, originals: Path, server: Server) -> None:
    """For requests and for git, without the token."""
    there = harness.github(tmp_path, originals, server)
    access = Access(repository="o/r", token=TOKEN, api="http://127.0.0.1:9")
    forge = GitHubForge(access, retry=there.forge._retry, seconds_between_writes=0)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        forge.pull(1)
    with pytest.raises(UnreachableError, match="git push failed"):
        forge.push(there.user, BRANCH, commit(there.user, "main"))
    assert len(there.pauses) == 4


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(status=401, body={"message": "Bad credentials"}), RefusedError, "Set GITHUB_TOKEN"),
        (Fault(status=403, body={"message": "Resource not accessible"}), RefusedError,
         "this token may not do that"),
        (Fault(status=404), MissingError, "it is not there, or this token may not see it"),
        (Fault(status=410), MissingError, "it is not there"),
        (Fault(status=409, body={"message": "Head branch was modified"}), MovedError, "moved"),
        (Fault(status=422, body={"message": "Validation Failed", "errors": [
            {"field": "base", "code": "invalid"}, {"message": "custom"}, "plain"]}),
         RefusedError, r"Validation Failed. base: invalid. custom. plain"),
        (Fault(status=422, body=["odd"]), ForgeError, "not an answer of GitHub"),
        (Fault(status=200, body="<html>Log in</html>"), ForgeError, "not an answer of GitHub"),
        (Fault(status=200, body={"number": "one"}), ForgeError, "not an answer of GitHub"),
        (Fault(status=200, body=[1, 2]), ForgeError, "not an answer of GitHub"),
        (Fault(status=401, body={"message": f"no {TOKEN} or {BASIC} \x1b[31m@you"}), RefusedError,
         r"no \*\*\* or \*\*\*"),
    ],
)  # fmt: skip
def test_error_is_reported_once(
    github: GitHubHarness, fault: Fault, kind: type[ForgeError], said: str
) -> None:
    """What was asked for, what came back, what to do; asking again would not help."""
    github.repo.faults.append(Fault(**{**vars(fault), "times": 9}))
    with pytest.raises(kind, match=said) as caught:
        github.forge.pull(7)
    assert "pull request 7" in str(caught.value)
    assert github.pauses == []
    assert TOKEN not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.skipif(bool(os.environ.get(CHECK)), reason="prism follows redirections by itself")
def test_redirection_elsewhere_is_not_followed(github: GitHubHarness) -> None:
    """The token stays with the server that it is for."""
    headers = {"Location": "https://elsewhere.example/x"}
    github.repo.faults.append(Fault(status=301, headers=headers, times=9))
    with pytest.raises(ForgeError, match="not an answer of GitHub"):
        github.forge.pull(7)
    assert len(github.repo.requests) == 1


@pytest.mark.parametrize(
    ("where", "count"),
    [("POST .*/pulls", "pulls"), ("POST .*/comments", "comments"), ("POST .*/statuses", "status"),
     ("PUT .*/merge", "merge")],
)  # fmt: skip
def test_lost_answer_makes_nothing_twice(github: GitHubHarness, where: str, count: str) -> None:
    """GitHub did it and the answer was lost: the next try finds it."""
    github.repo.faults.append(Fault(where=where, drop=True, after=True))
    head = pushed(github)
    number = opened(github).number
    github.forge.comment(number, "evaluation", "NO.")
    github.forge.set_status(head, Status(state=StatusState.success, description="YES"))
    github.forge.merge(number, head=head)
    assert (len(github.repo.pulls), len(github.repo.comments)) == (1, 1)
    assert git(github.bare, "rev-list", "--count", "--merges", "main") == "1"
    assert len(github.pauses) == 1, count


def test_all_pages_are_read(github: GitHubHarness) -> None:
    """Of pull requests, comments and statuses."""
    github.repo.page = 2
    head = pushed(github)
    for _ in range(5):
        opened(github)
        number = opened(github).number
        github.forge.close(number)
    number = opened(github).number
    for at in range(5):
        github.server.say(github.repo, number, f"Comment {at}", "somebody")
    github.forge.comment(number, "evaluation", "NO.")
    github.forge.comment(number, "evaluation", "YES.")
    assert github.forge.comments(number) == {"evaluation": "YES."}
    assert len(github.repo.comments) == 6
    github.forge.set_status(head, Status(state=StatusState.success, description="YES"))
    for at in range(5):
        github.repo.statuses.append({"sha": head, "state": "error", "context": f"ci/{at}"})
    state = github.forge.status_of(head)
    assert state is not None
    assert state.state is StatusState.success


def test_comment_of_a_stranger_is_never_ours(github: GitHubHarness) -> None:
    """Our marker, copied by somebody else, is neither read nor written."""
    pushed(github)
    number = opened(github).number
    stolen = "<!-- plumbline:evaluation -->\nYES, merge it."
    github.server.say(github.repo, number, stolen, "stranger")
    assert github.forge.comments(number) == {}
    github.forge.comment(number, "evaluation", "NO.")
    assert [one["body"] for one in github.repo.comments] == [
        stolen, "<!-- plumbline:evaluation -->\nNO.",
    ]  # fmt: skip


def test_app_without_a_user_knows_its_comments(github: GitHubHarness) -> None:
    """The token of a workflow may not ask who it is; apps write as bots."""
    github.repo.login = None
    pushed(github)
    number = opened(github).number
    github.server.say(github.repo, number, "<!-- plumbline:evaluation -->\nYES", "stranger")
    github.forge.comment(number, "evaluation", "First.")
    github.forge.comment(number, "evaluation", "Second.")
    assert github.forge.comments(number) == {"evaluation": "Second."}
    assert len(github.repo.comments) == 2


def test_unchanged_comment_is_not_written_again(github: GitHubHarness) -> None:
    """So that nobody is notified of nothing."""
    pushed(github)
    number = opened(github).number
    for _ in range(2):
        github.forge.comment(number, "evaluation", "NO.")
    assert not any(one.startswith("PATCH") for one in github.repo.requests)


def test_deleted_fork_is_a_fork(github: GitHubHarness) -> None:
    """GitHub then names no repository that the branch came from."""
    number = github.fork_pull(commit(github.user, "main"))
    github.repo.pulls[number]["source"] = None
    assert github.forge.pull(number).is_fork


def test_push_waits_out_trouble(github: GitHubHarness) -> None:
    """Git itself does not ask again, so we do."""
    github.repo.faults.append(Fault(where=r"\.git/", status=503, times=2))
    pushed(github)
    assert len(github.pauses) == 2


def test_git_reports_a_refused_token_too(tmp_path: Path, originals: Path, server: Server) -> None:
    """A push with another token ends at once and asks nobody for a password."""
    there = harness.github(tmp_path, originals, server, token="ghp_another")
    with pytest.raises(RefusedError, match="this token may push there"):
        pushed(there)
    with pytest.raises(RefusedError, match="the token is not accepted"):
        there.forge.pull(1)
    assert there.pauses == []


def test_repository_that_is_not_there_is_reported(github: GitHubHarness, server: Server) -> None:
    """For requests and for git."""
    access = Access(
        repository="owner/gone", token=TOKEN, api=server.public, git=f"{server.address}/o/gone.git"
    )
    forge = GitHubForge(access, seconds_between_writes=0)
    with pytest.raises(MissingError, match="owner/gone"):
        forge.pull_of(BRANCH)
    with pytest.raises(MissingError, match="not found"):
        forge.push(github.user, BRANCH, commit(github.user, "main"))


def test_token_is_seen_nowhere(
    github: GitHubHarness, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Not in logs, errors, settings, remotes or lists of processes, though traces are asked for."""
    seen: list[str] = []
    watcher = Watcher(seen)
    trace = tmp_path / "trace"
    for name in ("GIT_TRACE", "GIT_TRACE_CURL", "GIT_TRACE_SETUP"):
        monkeypatch.setenv(name, str(trace))
    monkeypatch.setenv("GIT_TRACE_REDACT", "0")
    monkeypatch.setenv("GIT_CURL_VERBOSE", "1")
    with caplog.at_level(logging.DEBUG), watcher:
        head = pushed(github)
        number = opened(github).number
        github.forge.comment(number, "evaluation", "NO.")
        with pytest.raises(MovedError) as caught:
            github.forge.merge(number, head="0" * 40)
        github.repo.faults.append(Fault(where=r"\.git/", status=403, times=9))
        with pytest.raises(ForgeError) as refused:
            github.forge.push(github.user, "other", head)
    config = (github.user / ".git/config").read_text()
    texts = [caplog.text, str(caught.value), str(refused.value), config, repr(github.forge),
            repr(github.forge._access), repr(github.forge._remote), *seen]  # fmt: skip
    if trace.exists():
        texts.append(trace.read_text(errors="replace"))
    assert any("git push" in one or "push" in one for one in seen)
    for text in texts:
        assert TOKEN not in text
        assert BASIC not in text


class Watcher:
    """Looks at the arguments of all processes again and again, as anybody on the machine can."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.005):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if "git" in words:
                    self._seen.append(words)


def test_header_of_a_checkout_is_not_sent_twice(github: GitHubHarness, server: Server) -> None:
    """What a workflow's checkout has set for the same server would make GitHub refuse ours."""
    git(github.user, "config", f"http.{server.address}/.extraheader", "Authorization: Basic eA==")
    assert git(github.bare, "rev-parse", "main")
    assert github.forge.base_commit(github.user, "main")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repository": "name"}, "use OWNER/NAME"),
        ({"repository": "a/b/c"}, "use OWNER/NAME"),
        ({"repository": "a/.."}, "use OWNER/NAME"),
        ({"repository": "-o/b"}, "use OWNER/NAME"),
        ({"repository": "a b/c"}, "use OWNER/NAME"),
        ({"api": "http://ghe.example.com/api/v3"}, "use https"),
        ({"git": "http://ghe.example.com/a/b.git"}, "use https"),
    ],
)  # fmt: skip
def test_access_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    """An odd name, or a token that would travel in the open."""
    with pytest.raises(UsageError, match=said):
        Access(**{"repository": "a/b", "token": "t", **changes})


@pytest.mark.parametrize(
    ("api", "address"),
    [
        ("https://api.github.com", "https://github.com/a/b.git"),
        ("https://ghe.example.com/api/v3", "https://ghe.example.com/a/b.git"),
        ("https://ghe.example.com:8443/api/v3", "https://ghe.example.com:8443/a/b.git"),
    ],
)
def test_branches_go_where_the_interface_belongs(api: str, address: str) -> None:
    """The public GitHub, and one of a company."""
    assert Access(repository="a/b", token="t", api=api).remote.address == address


def test_token_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one the message says what to set."""
    monkeypatch.setenv("GITHUB_API_URL", "https://ghe.example.com/api/v3/")
    with pytest.raises(UsageError, match="GITHUB_TOKEN is not set"):
        github_access.from_environment("a/b")
    monkeypatch.setenv("GITHUB_TOKEN", " t \n")
    access = github_access.from_environment("a/b")
    assert (access.token, access.name) == ("t", "a/b on ghe.example.com")
    assert GitHubForge.from_environment("a/b").name == "a/b on ghe.example.com"


def test_threads_may_share_a_forge(github: GitHubHarness) -> None:
    """Several candidates report at once; every request is made, one after the other."""
    numbers = []
    for at in range(4):
        pushed(github, f"plumbline/c{at}", text=f"t{at}")
        numbers.append(opened(github, f"plumbline/c{at}").number)
    threads = [
        threading.Thread(target=github.forge.comment, args=(number, "evaluation", f"{number}"))
        for number in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [github.forge.comments(n)["evaluation"] for n in numbers] == [str(n) for n in numbers]
    assert github.forge.pull(numbers[0]).state is PullState.open
