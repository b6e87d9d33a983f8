"""The identities of iterations and loops, which data repos hold: they must never change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_gateway.attempt import digest_of
from prompt_lab.init import init
from self_improve.errors import UsageError
from self_improve.iteration.command_line import parser
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.request import IterationRequest, branch_of, request_of
from self_improve.optimizer.loop import identity_of

BASE = "0" * 40
LOOP = {"name": "l", "digest": "d"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a directory with a data repo and the text of a candidate."""
    init(tmp_path / "lab")
    (tmp_path / "new.txt").write_text("Better.\n")
    return tmp_path


def request(home: Path, words: str) -> IterationRequest:
    """Return the request of a command; limits and folders are not part of its identity."""
    where = f"--prompt-lab-dir {home}/lab --repo {home} --base main --workers 3 --timeout 9"
    command = f"--step plan_type --models sim,sim-weak --max-calls 5 {where} {words}"
    return request_of(parser().parse_args(command.format(home=home).split()))


@pytest.mark.parametrize(
    ("words", "digest"),
    [
        ("--prompt A={home}/new.txt --expect items:higher --repeats 2 --seed 7",
         "a20a33449e619053"),
        ("--branch b --speed FAST_BUT_SKIP_DETAILS --analyse always", "63a6426a06b3febb"),
        ("--pr 3 --skip-analysis --skip-runner --skip-downstream --skip-spot-check "
         "--skip-implement", "8dad56fd1f398c68"),
        ("--candidates 2 --generator opro --small --force", "10c45c7b5eb0996c"),
        ("--from-synthesis", "3b64c5df5c4afd60"),
    ],
)  # fmt: skip
def test_identities_are_those_of_older_versions(home: Path, words: str, digest: str) -> None:
    """An iteration that an older version began is found and resumed."""
    assert digest_of(request(home, words).identity(BASE))[:16] == digest


def test_identity_in_a_loop_is_that_of_older_versions(home: Path) -> None:
    """With the loop, and the plans that it made; the loop itself is found again, too."""
    alone = request(home, "--from-synthesis")
    run = replace(alone.run, baseline_dir=alone.layout.snapshots / "x")
    looped = replace(alone, run=run, loop=LOOP)
    assert digest_of(looped.identity(BASE))[:16] == "2dbd003d7f83029e"
    for one in (alone, looped):
        assert identity_of(one, ["b", "a"], BASE, new=False)["name"] == "dee616e599-0"


@pytest.mark.parametrize("words", ["", "--dry-run"])
def test_unknown_generator_is_refused_before_anything_is_spent(home: Path, words: str) -> None:
    """A loop would pay for the baseline first, and an iteration would leave a folder behind."""
    with pytest.raises(UsageError, match=r"no generator 'oppro'\. Did you mean opro\?"):
        request(home, f"--candidates 2 --generator oppro {words}")


def test_folder_without_git_is_said_to_be_one(tmp_path: Path) -> None:
    """No branch that could be checked out would help."""
    with pytest.raises(UsageError, match="is not a git repository"):
        branch_of(tmp_path)


def test_generator_does_not_matter_to_other_sources(home: Path) -> None:
    """Its name is read only where something is proposed."""
    assert request(home, "--branch b --generator oppro").identity(BASE)["generator"] is None


def test_misspelt_step_gets_the_nearest_names() -> None:
    """Writing a rubric for a misspelt name is not the way out."""
    with pytest.raises(UsageError, match=r"plan_typ has no rubric.* Did you mean plan_type"):
        rubric_of("plan_typ")
