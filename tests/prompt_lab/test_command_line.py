"""The commands as they are typed: arguments, output, exit codes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from prompt_lab.command_line import main, parser
from prompt_lab.layout import VARIABLE, Layout
from tests.prompt_lab.conftest import make_zip
from tests.prompt_lab.server import content, serving


@pytest.mark.parametrize("command", ["init", "populate", "status"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples parse, under whatever name the program is called."""
    with pytest.raises(SystemExit) as caught:
        parser(prog="plumbline").parse_args([command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "130  interrupted" in out
    block = out.split("examples:\n")[1].split("\n\n")[0]
    for line in block.splitlines():
        program, *arguments = line.split()
        assert program == "plumbline"
        assert arguments[0] == command
        parser().parse_args(arguments)


def test_help_imports_nothing_heavy() -> None:
    """It answers at once."""
    code = (
        "import sys; from prompt_lab.command_line import parser; parser(); "
        "print([m for m in ('pydantic', 'httpx', 'git', 'rich', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["init"],
        ["populate", "zips", "--samples"],
        ["populate", "--max-bytes", "0"],
        ["populate", "--max-bytes", "many"],
        ["populate", "zips", "--split", "test"],
    ],
)
def test_wrong_usage_ends_with_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage is printed."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_missing_data_repo_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None named, or one that is none: each says what to type."""
    assert main(["status"]) == 2
    assert VARIABLE in capsys.readouterr().err
    assert main(["populate", "x", "--prompt-lab-dir", str(tmp_path)]) == 2
    assert f"python -m prompt_lab init {tmp_path}" in capsys.readouterr().err


def test_exit_code_tells_whether_all_went_well(
    tmp_path: Path,
    lab: Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The data repo of the environment is used; one bad zip of two makes a 1."""
    monkeypatch.setenv(VARIABLE, str(lab.root))
    make_zip(tmp_path / "zips" / "silo.zip")
    assert main(["populate", str(tmp_path / "zips"), "--split", "train"]) == 0
    assert capsys.readouterr().out.endswith("1 added.\n")
    (tmp_path / "zips" / "bad.zip").write_bytes(b"PK")
    assert main(["populate", str(tmp_path / "zips"), "--split", "train"]) == 1
    assert capsys.readouterr().out.endswith("1 already there, 1 failed.\n")


def test_init_with_samples_needs_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With them the new data repo is populated; without them nothing is made."""
    code = main(["init", str(tmp_path / "lab"), "--samples"])
    if code == 2:
        assert "no sample plans" in capsys.readouterr().err
        assert not (tmp_path / "lab").exists()
    else:
        assert code == 0
        assert list((tmp_path / "lab" / "baseline" / "train").glob("*/"))


def test_terminal_gets_a_bar_and_a_log_gets_lines(tmp_path: Path, lab: Layout) -> None:
    """Both say in the end what became of the plan."""
    data = make_zip(tmp_path / "silo.zip").read_bytes()
    with serving() as server:
        server.paths["/silo.zip"] = content(data)
        command = [sys.executable, "-m", "prompt_lab", "populate", f"{server.address}/silo.zip",
                   "--split", "train", "--prompt-lab-dir", str(lab.root)]  # fmt: skip
        log = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        above, below = pty.openpty()
        environment = {**os.environ, "TERM": "xterm"}
        with subprocess.Popen(command, stdout=below, stderr=below, env=environment) as process:
            os.close(below)
            shown = b""
            while chunk := _read(above):
                shown += chunk
            os.close(above)
        assert process.returncode == 0
    assert log.splitlines()[0].startswith("  getting silo (")
    assert log.splitlines()[1] == "train/silo: added, 3 files"
    assert b"\x1b[" in shown
    assert b"train/silo: already there, 3 files" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
