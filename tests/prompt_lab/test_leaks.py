"""Keys that are found in texts and options before anything of them is stored or posted."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from model_gateway.keys import Redactor
from prompt_lab import leaks, markup
from prompt_lab.leaks import LeakError

KEY = 'k-"q\\t/abcdefghijklm0123456789'


@pytest.fixture
def redactor(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    """Return what knows one key."""
    monkeypatch.setenv("MINE_API_KEY", KEY)
    return Redactor()


@pytest.mark.parametrize(
    "text",
    [
        KEY, json.dumps({"a": KEY}), json.dumps(json.dumps(KEY)), f"x\ny {KEY}",
        b64encode(f"see {KEY} there".encode()).decode(), markup.quoted(KEY), KEY.encode(),
        "".join(f"\\u{ord(one):04x}" for one in KEY),
    ],
)  # fmt: skip
def test_key_is_named_and_never_shown(redactor: Redactor, text: str | bytes) -> None:
    """However it is written, the message says where it stands and in which variable."""
    with pytest.raises(LeakError) as raised:
        leaks.require_no_keys(redactor, {"the title": text, "the body": "fine"}, "Not posted")
    message = str(raised.value)
    assert message.startswith("Not posted, because of a key:\n  the title: ")
    assert "MINE_API_KEY" in message
    assert "the body" not in message
    assert KEY not in message
    assert "abcdefghijklm" not in message


def test_key_between_the_breaks_of_a_page_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pages break addresses and mentions, which a key may look like."""
    monkeypatch.setenv("MINE_API_KEY", "key@host://abcdef#123456")
    with pytest.raises(LeakError, match="MINE_API_KEY"):
        leaks.require_no_keys(
            Redactor(), {"the text": markup.quoted("key@host://abcdef#123456")}, "Not posted"
        )


def test_name_may_hold_the_key(redactor: Redactor) -> None:
    """A file can be called like one; the message hides that, too."""
    [fault] = leaks.faults(redactor, f"notes/{KEY}.md", "nothing")
    assert "its name holds MINE_API_KEY" in fault
    assert KEY not in fault


def test_option_with_a_key_is_named(redactor: Redactor) -> None:
    """Also as one of several values; everything else is let through."""
    fine = {"step": "s", "count": 3, "path": None, "run": print}
    leaks.require_none_in_options(redactor, fine)
    with pytest.raises(LeakError, match=r"--test-command: it holds MINE_API_KEY"):
        leaks.require_none_in_options(redactor, {**fine, "test_command": ["a", f"b {KEY}"]})


def test_many_findings_are_counted(redactor: Redactor) -> None:
    """The message stays short."""
    faults = list(leaks.faults(redactor, "a.md", "\n".join([KEY] * 9)))
    assert len(faults) == 6
    assert faults[-1] == "a.md: 4 more"
