"""The identity of a comparison, which data repos hold: it must never change."""

from __future__ import annotations

from pathlib import Path

from model_gateway.attempt import digest_of
from prompt_lab.init import init
from self_improve.full_plan.command_line import parser
from self_improve.full_plan.request import request_of


def test_identity_is_that_of_older_versions(tmp_path: Path) -> None:
    """A comparison that an older version began is found and resumed."""
    init(tmp_path / "lab")
    (tmp_path / "lab/baseline/verify/silo").mkdir(parents=True)
    host = tmp_path / "some_host.toml"
    host.write_text("x\n")
    words = f"--model sim --prompt-lab-dir {tmp_path}/lab --repo {tmp_path} --judge --seed 4"
    request = request_of(parser().parse_args([*words.split(), "--regenerate-baseline"]))
    assert digest_of(request.identity("c", "b", host))[:16] == "7a9aa1353ae75c2c"
