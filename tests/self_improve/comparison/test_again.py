"""The commands that run both sides again with more repeats."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from self_improve import runner
from self_improve.comparison.again import again
from self_improve.iteration import command_line

META: dict[str, Any] = {
    "step": "find", "speed": "ALL DETAILS", "seed": 1, "repeats": 1, "split": "train",
    "code": {"digest": "k0", "branch": "main"}, "candidate": {"digest": "t0", "surfaces": []},
}  # fmt: skip


def side(folder: Path, name: str, **changes: Any) -> list[Path]:
    """Write the records of a side's two runs."""
    paths = []
    for model in ("a", "b 2"):
        path = folder / name / model
        path.mkdir(parents=True)
        meta = {**META, "model": {"primary": model}, **changes}
        (path / "meta.json").write_text(json.dumps(meta))
        paths.append(path)
    return paths


def parsed(text: str, parser: argparse.ArgumentParser) -> list[argparse.Namespace]:
    """Return the options of each command in a text, as the command itself reads them."""
    return [
        parser.parse_args(shlex.split(command)[3:]) for command in re.findall(r"`([^`]+)`", text)
    ]


def test_both_sides_have_a_command_of_their_own(tmp_path: Path) -> None:
    """They differ in the candidate's texts only."""
    texts = {"candidate": {"digest": "t1", "surfaces": ["host.prompts:A"]}}
    more = {"split": "verify", "seed": 7}
    say = again(side(tmp_path, "old", **more), side(tmp_path, "new", **more, **texts))
    assert say is not None
    old, new = parsed(say(4), runner.parser())
    assert (old.step, old.models, old.repeats) == ("find", ["a,b 2"], 4)
    assert (old.split, old.seed, old.speed, old.prompt) == ("verify", 7, "ALL DETAILS", [])
    assert new.prompt == ["host.prompts:A=FILE"]
    new.prompt = []
    assert vars(old) == vars(new)


def test_baseline_plans_are_not_run_again(tmp_path: Path) -> None:
    """There is one command."""
    say = again([], side(tmp_path, "new"))
    assert say is not None
    assert len(parsed(say(2), runner.parser())) == 1


def test_a_branch_is_run_against_its_base_by_one_command(tmp_path: Path) -> None:
    """Its code was in a tree that a later command may not find."""
    code = {"code": {"digest": "k1", "branch": "candidate-7"}}
    say = again(side(tmp_path, "old"), side(tmp_path, "new", **code))
    assert say is not None
    [both] = parsed(say(3), command_line.parser())
    assert (both.branch, both.repeats, both.new) == ("candidate-7", 3, True)
    assert both.models == ["a,b 2"]


@pytest.mark.parametrize("lost", ["step", "repeats", "code", "candidate"])
def test_records_that_say_too_little_give_no_command(tmp_path: Path, lost: str) -> None:
    """As those of older forms."""
    assert again(side(tmp_path, "old"), side(tmp_path, "new", **{lost: None})) is None
