"""The check of requests against GitHub's description: it can fail, and it covers what is used."""

from __future__ import annotations

import json
import os
import re

import pytest
import requests

from tests.forge import prism
from tests.forge.conftest import CHECK
from tests.forge.harness import GitHubHarness
from tests.forge.server import TOKEN, Server

needs_prism = pytest.mark.skipif(not os.environ.get(CHECK), reason="only in `make test-forge`")


@needs_prism
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/statuses/" + "0" * 40, {"state": "excellent"}),
        ("POST", "/statuses/" + "0" * 40, {"description": "No state."}),
        ("POST", "/pulls", {"head": "x"}),
        ("POST", "/issues/1/comments", {"text": "No body."}),
        ("GET", "/pulls?state=sometimes", None),
        ("PUT", "/pulls/1/merge", {"merge_method": "force"}),
        ("POST", "/issues/1/labels", [1, 2]),
        ("GET", "/nothing", None),
    ],
)  # fmt: skip
def test_wrong_request_is_seen(
    server: Server, seen: prism.Seen, github: GitHubHarness, method: str, path: str, body: object
) -> None:
    """Prism stands in the way and knows what GitHub takes."""
    before, counted = len(seen.violations), seen.requests.copy()
    requests.request(
        method, f"{server.public}/repos/{github.repo.name}{path}", json=body, timeout=20,
        headers={"Authorization": f"Bearer {TOKEN}"},
    )  # fmt: skip
    violation = seen.violations[before:]
    del seen.violations[before:]
    seen.requests = counted
    assert violation


def test_only_lists_of_names_are_excused() -> None:
    """And only where labels are added."""
    row = json.dumps([{"location": ["request", "body"], "code": "oneOf", "message": "m"}])
    labels, statuses = "/repos/o/r/issues/1/labels", f"/repos/o/r/statuses/{'0' * 40}"
    seen = prism.Seen()
    seen.note("POST", labels, row, b'["a", "b"]')
    assert (len(seen.violations), len(seen.excused)) == (0, 1)
    for method, path, body in (
        ("POST", labels, b"[1]"), ("POST", labels, b"[]"), ("POST", labels, b'{"labels": [1]}'),
        ("POST", statuses, b'["a"]'),
    ):  # fmt: skip
        seen.note(method, path, row, body)
    assert (len(seen.violations), len(seen.excused)) == (4, 1)


def test_answers_are_not_judged_and_the_undescribed_is() -> None:
    """A list that was cut because of its length counts as wrong."""
    seen = prism.Seen()
    seen.note("GET", "/user", '[{"location": ["response"], "code": "x"}]', b"")
    assert seen.violations == []
    seen.note("GET", "/users", None, b"")
    seen.note("DELETE", "/user", None, b"")
    seen.note("GET", "/user", "Too many violations! [{...", b"")
    assert [one.code for one in seen.violations] == ["undescribed", "undescribed", "many"]


def test_lock_file_names_no_address() -> None:
    """Where packages come from is each machine's own affair."""
    text = (prism.HERE / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert not re.search(r'"integrity": ""', text)
    assert "5.14.2" in text
