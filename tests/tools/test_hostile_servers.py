"""The campaign of misbehaving servers: it tries every fault, and would notice what it looks for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tools.hostile import servers
from tools.hostile.__main__ import main as command
from tools.hostile.faults import all_faults
from tools.hostile.server_run import KEY, Folder, leaks
from tools.hostile.wire import FORMATS, GOOD, HostileServer

FAULTS = {fault.name: fault for fault in all_faults()}


def folder(path: Path, *names: str) -> Folder:
    """Return a folder of the campaign whose server is not asked."""
    server = HostileServer(acts={}, key=KEY)
    return Folder(path=path, server=server, wire_format="openai", faults=[FAULTS[n] for n in names])


def test_there_are_enough_faults_of_every_kind() -> None:
    """Each is tried in all three formats."""
    assert len(FAULTS) >= 250
    kinds = [fault.kind for fault in FAULTS.values()]
    assert min(map(kinds.count, set(kinds))) >= 9


@pytest.mark.parametrize(
    "written",
    [
        KEY, json.dumps(KEY), json.dumps(json.dumps(KEY)), quote(KEY, safe=""), KEY.encode().hex(),
        "".join(f"\\u{ord(c):04x}" for c in KEY), base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(b"{" + KEY.encode() + b"}").decode(),
        base64.b64encode(b"[1" + KEY.encode() + b"}").decode(),
    ],
)  # fmt: skip
def test_a_key_in_any_file_would_be_noticed(tmp_path: Path, written: str) -> None:
    """In a text, and inside the JSON of a record."""
    (tmp_path / "page.md").write_text(f"It said: {written}")
    (tmp_path / "attempts.jsonl").write_text(json.dumps({"text": f"a {written} b"}) + "\n")
    (tmp_path / "clean.md").write_text("It said nothing.")
    shown = list(leaks(folder(tmp_path)))
    assert len(shown) == 2
    assert "clean.md" not in "".join(shown)


def test_a_followed_redirect_would_be_noticed() -> None:
    """The address that redirects name belongs to the server, which counts who comes."""
    body = {"model": "m/redirect-302", "messages": [], "response_format": {"type": "x"}}
    acts = {"redirect-302": FAULTS["redirect-302"].act}
    with HostileServer(acts=acts, key=KEY) as server:
        url = f"{server.url('openai')}/chat/completions"
        assert httpx.post(url, json=body, follow_redirects=False).status_code == 302
        assert server.strayed == 0
        with pytest.raises(httpx.HTTPError):
            httpx.post(url, json=body, follow_redirects=True)
        assert server.strayed == 1


@pytest.mark.parametrize("wire_format", FORMATS)
def test_the_sound_model_is_sound(wire_format: str) -> None:
    """A model without a fault answers in its format, so that its cells count."""
    path = {"openai": "chat/completions", "anthropic": "v1/messages", "ollama": "api/chat"}
    with HostileServer(acts={}, key=KEY) as server:
        url = f"{server.url(wire_format)}/{path[wire_format]}"
        reply = httpx.post(url, json={"model": "m/honest", "messages": [], "format": {"a": 1}})
    assert json.dumps(GOOD["topic"]) in json.dumps(json.loads(reply.text)).replace('\\"', '"')


def test_changed_cells_and_tracebacks_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that crashes, and leaves no rows of the sound model, is a violation four times."""
    one = folder(tmp_path, "status-500")

    def crashes(self: Folder, *_: str) -> tuple[int, float]:
        self.outputs.append("Traceback (most recent call last):\n  boom")
        return 1, 0.1

    monkeypatch.setattr(Folder, "run", crashes)
    problems = list(servers._first_run(one))
    assert [problem.split(":")[0].split(" ")[0] for problem in problems] == [
        "a",
        "the",
        "no",
        "the",
    ]


def test_one_fault_through_the_real_command() -> None:
    """A reply that repeats the key is recorded without it, and harms no other model."""
    rows = list(servers.campaign(0, only="ollama: key-text-base64$"))
    assert [row for row in rows if row.violations] == []
    assert {row.kind: row.runs for row in rows} == {"ollama: key": 1}


def test_a_fault_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name must not pass for a campaign without violations."""
    assert command(["--only", "servers", "--match", "no-such-fault"]) == 2
    assert "no-such-fault" in capsys.readouterr().err
