"""What a terminal is sent: text is shown, and a stream that closes changes nothing."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_gateway import terminal
from model_gateway.terminal import OpenStream, TerminalStream, guarded, visible
from prompt_lab import markup

ODD = (
    "\x1b[31m", "\x1b]8;;http://x\x07", "\x9b31m", "\x07", "\x08", "\r", "\x7f", "\x00", "\x85",
    "\u202e", "\u2066", "\u200b", "\u200e", "\ufeff", "\u2028", "\u00ad", "\U000e0041", "\ud800",
)  # fmt: skip


def written(text: str) -> str:
    """Return what reaches the terminal of a text."""
    out = io.StringIO()
    TerminalStream(out).write(text)
    return out.getvalue()


@pytest.mark.parametrize("odd", ODD)
def test_nothing_is_obeyed_or_hidden(odd: str) -> None:
    """Neither by a terminal, nor by what shows Markdown."""
    for shown in (written(f"a{odd}b"), visible(f"a{odd}b"), markup.neutral(f"a{odd}b")):
        assert odd not in shown
        assert "\\" in shown


@given(st.text())
def test_printed_json_keeps_its_meaning(text: str) -> None:
    """Programs read it; the escapes in it are those of JSON."""
    assert json.loads(written(json.dumps(text, ensure_ascii=False))) == text


@given(st.text())
def test_what_is_shown_prints(text: str) -> None:
    """But for line ends, tabs and what shapes letters; making it visible twice changes nothing."""
    shaping = "\n\t\u200c\u200d"
    shown = visible(text)
    hidden = {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert hidden <= set(shaping)
    assert visible(shown) == shown


@pytest.mark.parametrize("text", ["計画 ÄÖ 😀\n", "a\tb", "می\u200cخواهم", "👩\u200d💻", "\u3000"])
def test_text_of_any_language_stays(text: str) -> None:
    """Joiners shape Persian and emoji."""
    assert written(text) == text


def test_what_the_encoding_lacks_is_escaped() -> None:
    """A terminal of another time gets all the same what it can show."""
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    TerminalStream(raw).write("計 a \ud800\n")
    raw.seek(0)
    assert raw.read() == "\\u8a08 a \\ud800\n"


def test_table_keeps_its_styles_and_loses_those_of_texts() -> None:
    """A console of rich writes escape sequences of its own."""
    out = io.StringIO()
    terminal.console(out).print("a\x1b[31m [bold]b[/bold] :smile:")
    assert out.getvalue() == "a\\u001b[31m [bold]b[/bold] :smile:\n"


def test_streams_are_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    """And a second guard inside the first changes nothing."""
    before = sys.stdout, sys.stderr
    with guarded(), guarded():
        assert isinstance(sys.stdout, TerminalStream)
        assert not isinstance(sys.stdout.raw, OpenStream)
        print("\x1b")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == "\\u001b\n"


WORK = """
import sys
from model_gateway.exits import exit_code, say
def work():
    print("x" * int(sys.argv[1]))
    say("y" * int(sys.argv[1]))
    print("計 \\x1b")
    return 7
sys.exit(exit_code(work))
"""


@pytest.mark.parametrize("length", ["1", "1000000"])
@pytest.mark.parametrize(
    "how",
    [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| true; exit ${PIPESTATUS[0]}", "2> >(true)",
     "2>&1 | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}"],
)  # fmt: skip
def test_work_that_was_done_keeps_its_code(how: str, length: str) -> None:
    """Closing the output early is not a failure of the command."""
    command = f'"$0" -c "$1" {length} {how}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, WORK], capture_output=True, check=False
    )
    assert done.returncode == 7
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_full_disk_under_the_output_is_reported() -> None:
    """What was printed is lost, and nobody else would notice."""
    command = '"$0" -c "$1" 1000000 > /dev/full'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, WORK], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "error: standard output: No space left on device. Make room" in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("how", [">&-", "| true; exit ${PIPESTATUS[0]}", "2>&-"])
@pytest.mark.parametrize(("words", "code"), [("--help", 0), ("", 2), ("run --help", 0), ("x", 2)])
def test_help_keeps_its_code(how: str, words: str, code: int) -> None:
    """A closed or very narrow output is not wrong usage."""
    command = f'COLUMNS=1 LC_ALL=C "$0" -m self_improve.command_line {words} {how}'
    done = subprocess.run(["bash", "-c", command, sys.executable], capture_output=True, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_closed_descriptors_are_not_given_to_files() -> None:
    """A record that is opened as descriptor 2 would get every message."""
    code = (
        "import os, sys, tempfile\n"
        "from model_gateway.exits import exit_code\n"
        "def work():\n"
        "    with tempfile.TemporaryFile() as file:\n"
        "        return 0 if file.fileno() > 2 else 1\n"
        "sys.exit(exit_code(work))"
    )
    done = subprocess.run(
        ["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=False
    )
    assert done.returncode == 0
    assert os.fstat(1)
