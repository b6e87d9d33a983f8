"""A few hostile branches through the real command; `make hostile` runs more."""

from __future__ import annotations

from pathlib import Path

import pytest

from self_improve.sandbox import choice, confinement
from tools.hostile import branches
from tools.hostile.branch_runs import Attack, harms_of

pytestmark = pytest.mark.skipif(
    confinement.lacking() is not None, reason="the kernel cannot confine a process"
)
CHOSEN = (
    ("reads", "environ of all", "cell"),
    ("reads", "private files", "import"),
    ("writes", "data repo", "thread"),
    ("writes", "shell", "tests"),
    ("sends", "tcp", "cell-child"),
    ("daemons", "double fork", "import"),
    ("forgeries", "ended", "cell"),
    ("hangs", "deaf", "import"),
    ("trees", "filter.clean", "tree"),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data repo with one plan."""
    return branches.lab(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize(("kind", "name", "place"), CHOSEN)
def test_nothing_is_reached(kind: str, name: str, place: str, tmp_path: Path, lab: Path) -> None:
    """Nothing is read, sent, written, left or forged, and the command ends as it should."""
    assert harms_of(Attack(kind=kind, name=name, place=place), tmp_path / "run", lab) == []


@pytest.mark.parametrize(
    ("kind", "name", "harm"),
    [
        ("reads", "environ of all", "read"), ("writes", "append", "written"),
        ("sends", "tcp", "sent"), ("signals", "kill", "sent"),
    ],
)  # fmt: skip
def test_without_a_sandbox_the_same_attacks_succeed(
    kind: str, name: str, harm: str, tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the tests above would show nothing."""
    monkeypatch.setenv(choice.VARIABLE, "never")
    attack = Attack(kind=kind, name=name, place="cell")
    assert harm in {done for done, _ in harms_of(attack, tmp_path / "run", lab)}


def test_every_attack_has_its_places() -> None:
    """The campaign is large enough to mean something, and its rows name every kind."""
    kinds = {attack.kind for attack in branches.attacks()} | {"iterate --branch"}
    assert len(branches.attacks()) > 500
    assert {row.kind for row in branches.campaign(0)} == kinds
