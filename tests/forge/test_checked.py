"""No key gets into a forge, whichever it is and whichever text holds it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model_gateway.keys import Redactor
from self_improve.forge.checked import CheckedForge, KeyInTextError
from self_improve.forge.forge import Forge, PullState, Status, StatusState
from tests.forge.harness import Harness
from tests.forge.test_forges import BRANCH, opened, pushed

KEY = "k-abcdefghijklm0123456789"
SAYS = f"because of {KEY} and more"
POSTS: dict[str, Callable[[Forge, int, str], object]] = {
    "title": lambda f, _, __: f.open_pull(branch=BRANCH, base="main", title=SAYS, body="b"),
    "body": lambda f, _, __: f.open_pull(branch=BRANCH, base="main", title="t", body=SAYS),
    "label": lambda f, _, __: f.open_pull(
        branch=BRANCH, base="main", title="t", body="b", labels=["a", SAYS]
    ),
    "branch": lambda f, _, __: f.open_pull(branch=f"x-{KEY}", base="main", title="t", body="b"),
    "new text": lambda f, number, _: f.write_body(number, SAYS),
    "comment": lambda f, number, _: f.comment(number, "evaluation", SAYS),
    "labels": lambda f, number, _: f.label(number, add=[SAYS]),
    "status": lambda f, _, head: f.set_status(
        head, Status(state=StatusState.failure, description=SAYS)
    ),
    "address": lambda f, _, head: f.set_status(
        head, Status(state=StatusState.failure, description="NO", url=f"https://x/{KEY}")
    ),
}


@pytest.mark.parametrize("what", POSTS)
def test_text_with_a_key_is_not_posted(
    there: Harness, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The message names text and variable, and the forge is as it was."""
    monkeypatch.setenv("MINE_API_KEY", KEY)
    head = pushed(there)
    pull = opened(there)
    checked = CheckedForge(there.forge, Redactor())
    with pytest.raises(KeyInTextError, match="MINE_API_KEY") as raised:
        POSTS[what](checked, pull.number, head)
    assert KEY not in str(raised.value)
    assert there.forge.pull(pull.number) == pull
    assert there.forge.comments(pull.number) == {}
    assert there.forge.status_of(head) is None


def test_branch_with_a_key_is_not_pushed(there: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is a text, too."""
    monkeypatch.setenv("MINE_API_KEY", KEY)
    head = pushed(there)
    with pytest.raises(KeyInTextError, match="the branch: it holds MINE_API_KEY"):
        CheckedForge(there.forge, Redactor()).push(there.user, f"x-{KEY}", head)


def test_everything_else_goes_through(there: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first push to the merge."""
    monkeypatch.setenv("MINE_API_KEY", KEY)
    head = pushed(there)
    checked = CheckedForge(there.forge, Redactor())
    assert checked.name == there.forge.name
    checked.push(there.user, BRANCH, head)
    pull = checked.open_pull(branch=BRANCH, base="main", title="t", body="b", labels=["plumbline"])
    assert checked.fetch(there.user, pull) == head
    checked.write_body(pull.number, "c")
    checked.comment(pull.number, "evaluation", "NO.")
    assert checked.comments(pull.number) == {"evaluation": "NO."}
    checked.set_status(head, Status(state=StatusState.failure, description="NO"))
    status = checked.status_of(head)
    assert status is not None
    assert status.description == "NO"
    checked.label(pull.number, add=["no"], remove=["plumbline"])
    assert checked.pull(pull.number).labels == ("no",)
    merged = checked.merge(pull.number, head=head)
    assert checked.base_commit(there.user, "main") == merged
    checked.close(pull.number)
    pull_of_it = checked.pull_of(BRANCH)
    assert pull_of_it is not None
    assert pull_of_it.state is PullState.merged
