"""`plumbline`: one name for the commands of all packages."""

from __future__ import annotations

import json
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from self_improve import command_line, demo
from self_improve.command_line import COMMANDS, completion, main


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the help of a command."""
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def subcommands(text: str) -> list[str]:
    """Return the subcommands that a help lists."""
    lines = text.partition("positional arguments:")[2].partition("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines if line.startswith("    ") and line[4:5].isalpha()]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_has_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """They are called as the command was; where there are subcommands, each may have its own."""
    text = helped(capsys, name)
    assert text.startswith(f"usage: plumbline {name} ")
    if "examples:" not in text:
        assert subcommands(text)
        for sub in subcommands(text):
            assert f"examples:\n  plumbline {name} {sub}" in helped(capsys, name, sub)


@pytest.mark.parametrize("words", [["--help"], ["--bogus"]])
def test_demo_parses_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:  # fmt: skip
    """A flag is not the name of the directory that it creates."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        demo.main(words)
    shown = capsys.readouterr()
    assert "usage: python -m self_improve.demo" in shown.out + shown.err
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it does, and examples of several."""
    text = helped(capsys)
    for name, command in COMMANDS.items():
        assert name in text.split()
        assert command.help in " ".join(text.split())
    assert "examples:" in text


@pytest.mark.parametrize("line", command_line.EXAMPLES.splitlines())
def test_examples_name_commands_that_exist(line: str) -> None:
    """Each begins with a command of the list, or with `completion`."""
    words = line.split()
    if words[:1] == ["plumbline"]:
        assert words[1] in {*COMMANDS, "completion"}


def test_command_gets_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    """What follows the command's name is its own, and so is its exit code."""
    assert main(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert main(["plan", "resume", "/nowhere/plan", "--model", "sim"]) == 2
    assert "Start with: python -m worker_plan run --plan FILE" in capsys.readouterr().err


def test_wrong_flag_is_the_commands_affair(capsys: pytest.CaptureFixture[str]) -> None:
    """The message is called as the command was."""
    with pytest.raises(SystemExit) as ended:
        main(["run", "--stepp", "x"])
    assert ended.value.code == 2
    assert "plumbline run: error:" in capsys.readouterr().err


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The help is shown."""
    assert main([]) == 2
    assert "usage: plumbline" in capsys.readouterr().out


def test_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The commands that there are are listed."""
    with pytest.raises(SystemExit) as ended:
        main(["rnu"])
    assert ended.value.code == 2
    assert "run" in capsys.readouterr().err


def test_parsers_and_mains_are_where_the_list_says() -> None:
    """Every entry can be loaded."""
    for command in COMMANDS.values():
        assert callable(pkgutil.resolve_name(command.main))
        assert pkgutil.resolve_name(command.parser)("plumbline x").prog == "plumbline x"


@pytest.mark.parametrize(("shell", "program"), [("bash", "bash"), ("zsh", "zsh"), ("tcsh", "tcsh")])
def test_completion_script_is_one_of_its_shell(
    tmp_path: Path, shell: str, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shell, where there is one, finds no fault with it; every command and flag is in it."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in (*COMMANDS, "dry-run", "max-cost", "confirm", "populate"):
        assert word in script
    if shutil.which(program) is not None:
        path = tmp_path / "plumbline"
        path.write_text(script)
        checked = subprocess.run([program, "-n", str(path)], capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, b"")


def test_completion_completes(tmp_path: Path) -> None:
    """In bash, `plumbline run --dry` becomes `plumbline run --dry-run`."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    (tmp_path / "script").write_text(completion("bash"))
    line = (
        f"source {tmp_path / 'script'}; COMP_WORDS=(plumbline run --dry); COMP_CWORD=2; "
        "$(complete -p plumbline | sed 's/.*-F \\([^ ]*\\).*/\\1/') plumbline --dry run; "
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run([bash, "-c", line], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["--dry-run"]


def test_help_answers_at_once() -> None:
    """Nothing that takes a while is imported for it."""
    heavy = ("luigi", "pydantic", "git", "openai", "anthropic", "asyncio", "rich")
    code = (
        "import sys\nfrom self_improve.command_line import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        f"raise SystemExit([m for m in {heavy!r} if m in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
