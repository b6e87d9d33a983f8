"""The runner's command line."""

from __future__ import annotations

import shlex

import pytest

from model_gateway import entry_files
from model_gateway.arguments import model_names
from self_improve.host import contract
from self_improve.runner import EXAMPLES, parser
from worker_plan.pipeline import all_steps
from worker_plan.step import Detail


def examples() -> list[list[str]]:
    """Return the words of every example in the help."""
    joined = EXAMPLES.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    start = "python -m self_improve.runner "
    return [shlex.split(line.removeprefix(start)) for line in lines if line.startswith(start)]


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_example_is_a_command_that_exists(words: list[str]) -> None:
    """Its flags parse; its step, its models and its surface exist."""
    options = parser().parse_args(words)
    steps = {step.__module__.rpartition(".")[2]: step for step in all_steps()}
    assert options.step in steps
    for name in model_names(options):
        assert entry_files.load().find(name)
    for prompt in options.prompt:
        module = __import__(steps[options.step].__module__, fromlist=["x"])
        assert isinstance(vars(module)[prompt.partition("=")[0]], str)


def test_there_are_several_examples() -> None:
    """A baseline, an estimate, a candidate as data, a candidate as code."""
    options = [parser().parse_args(words) for words in examples()]
    assert any(one.dry_run for one in options)
    assert any(one.prompt for one in options)
    assert any(one.code for one in options)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", []),
        ("--model a --model b", ["a", "b"]),
        ("--models a,b", ["a", "b"]),
        ("--model c --models a,b --models d", ["c", "a", "b", "d"]),
        ("--models ' a , ,b,'", ["a", "b"]),
    ],
)
def test_models_may_be_repeated_or_listed(words: str, names: list[str]) -> None:
    """`--model a --model b` and `--models a,b` mean the same."""
    assert model_names(parser().parse_args(["--step", "x", *shlex.split(words)])) == names


def test_defaults_are_a_whole_split_once() -> None:
    """Without flags: the train plans, one repeat, all details, no cap, nothing from a cache."""
    options = parser().parse_args(["--step", "x"])
    assert (options.split, options.repeats, options.speed) == ("train", 1, None)
    assert (options.max_calls, options.max_tokens, options.max_cost) == (None, None, None)
    assert not any((options.new, options.dry_run, options.json, options.cache))


@pytest.mark.parametrize("flag", ["--repeats", "--workers", "--max-calls", "--max-tokens"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", ""])
def test_count_must_be_a_whole_number_from_1(
    capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    """The message says so, with the flag and the value."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--step", "x", f"{flag}={value}"])
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert f"argument {flag}: {value} is not a whole number from 1" in output


@pytest.mark.parametrize("flag", ["--timeout", "--max-cost"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "much"])
def test_amount_must_be_a_number_above_0(
    capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    """The message says so, with the flag and the value."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--step", "x", f"{flag}={value}"])
    assert ended.value.code == 2
    assert f"argument {flag}: {value} is not a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["", "--step x --split test", "--steps"])
def test_wrong_usage_ends_with_2(words: str) -> None:
    """A step is needed, and choices are checked."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words.split())
    assert ended.value.code == 2


def test_speeds_are_those_of_the_embedded_host() -> None:
    """The words for `--speed` are those of the steps' parameter."""
    host = contract.load(contract.EMBEDDED)
    assert list(host.speeds) == [detail.name for detail in Detail]


def test_help_tells_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """0, 1, 2, 3 and 130."""
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    output = " ".join(capsys.readouterr().out.split())
    for code in ("0 all cells ok", "1 some failed", "2 wrong usage", "3 budget", "130 interrupted"):
        assert code in output
