"""`plumbline generators` lists what can be chosen."""

from __future__ import annotations

import json

import pytest

from self_improve import command_line
from self_improve.generators import catalogue


def test_list_tells_needs_and_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every generator, in lines that fit."""
    assert command_line.main(["generators"]) == 0
    output = capsys.readouterr().out
    for one in catalogue.listed():
        assert f"{one.name}\n  {one.summary}\n  needs " in output
    assert "a judge, 4 calls a round" in output
    assert max(map(len, output.splitlines())) <= 102


def test_named_ones_tell_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Source and defaults as well, and nobody else."""
    assert command_line.main(["generators", "gepa", "spo"]) == 0
    output = capsys.readouterr().out
    assert "arXiv 2507.19457" in output
    assert "defaults" in output
    assert "promptbreeder" not in output


def test_list_as_json_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a generator."""
    assert command_line.main(["generators", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [one.name for one in catalogue.listed()]
    assert set(rows["opro"]) == {"name", "summary", "source", "defaults", "needs", "costs"}


def test_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest."""
    assert command_line.main(["generators", "textgrat"]) == 2
    assert "Did you mean textgrad" in capsys.readouterr().err
