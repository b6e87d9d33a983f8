"""Which plans a run works on, and whether they hold what a step reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.host.plans import BaselinePlan, PlanInputs, choose, inputs_of
from tests.prompt_lab.test_lfs import POINTER
from tests.self_improve import hosts

RULES = [{"pattern": r"^\d{3}-(?:\d+-)?", "replace": ""}]
PLAN, TYPE = "001-2-plan.txt", "002-8-plan_type.md"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a baseline directory with two train plans, one verify plan, and other things."""
    for plan in ("train/silo", "train/port", "verify/dyke", "train/.hidden"):
        folder = tmp_path / "lab" / "baseline" / plan
        folder.mkdir(parents=True)
        (folder / PLAN).write_text("A plan.")
        (folder / TYPE).write_text("Physical.")
    (tmp_path / "lab" / "baseline" / "train" / "silo.zip").write_bytes(b"x")
    return tmp_path / "lab" / "baseline"


def names(plans: list[BaselinePlan]) -> list[str]:
    """Return the names of plans."""
    return [plan.name for plan in plans]


def test_plans_of_a_split_come_in_order(base: Path) -> None:
    """Directories only, hidden ones left out, from the data repo or from a baseline directory."""
    lab = Layout(base.parent)
    by_lab = choose(lab, split="train", baseline_dir=None, plan_dirs=())
    by_dir = choose(None, split="train", baseline_dir=base, plan_dirs=())
    assert names(by_lab) == names(by_dir) == ["port", "silo"]
    assert names(choose(lab, split="verify", baseline_dir=None, plan_dirs=())) == ["dyke"]


def test_baseline_directory_may_hold_the_plans_themselves(base: Path) -> None:
    """Without folders for splits all its plans are taken, and it goes before the data repo."""
    lab = Layout(base.parent)
    plans = choose(lab, split="verify", baseline_dir=base / "train", plan_dirs=())
    assert names(plans) == ["port", "silo"]


def test_plans_named_one_by_one_go_first(base: Path) -> None:
    """In their order, whatever the split."""
    dirs = [base / "verify" / "dyke", base / "train" / "silo"]
    plans = choose(Layout(base.parent), split="train", baseline_dir=base, plan_dirs=dirs)
    assert names(plans) == ["dyke", "silo"]
    assert [plan.path for plan in plans] == dirs


def test_relative_plan_directories_are_resolved(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan called `.` has the name of its directory."""
    monkeypatch.chdir(base / "train" / "silo")
    [plan] = choose(None, split="train", baseline_dir=None, plan_dirs=[Path()])
    assert (plan.name, plan.path) == ("silo", base / "train" / "silo")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (lambda b: {"plan_dirs": [b / "x", b / "train", b / "y"]}, "No such plan directory: .*x, "),
        (lambda b: {"plan_dirs": [b / "train/silo"] * 2}, "Two plans are called silo"),
        (lambda b: {"baseline_dir": b / "nowhere"}, "There is no directory .*nowhere"),
        (lambda b: {"baseline_dir": b, "split": "test"}, "has no split 'test'"),
        (lambda b: {"baseline_dir": b / "train/silo"}, "There are no plans in .*silo"),
        (lambda _: {}, "Add --prompt-lab-dir, --baseline-dir or --plan-dir"),
    ],
)  # fmt: skip
def test_choice_that_finds_nothing_is_reported(
    base: Path, choice: Callable[[Path], dict[str, object]], said: str
) -> None:
    """Each message names the thing."""
    choice_of = {"split": "train", "baseline_dir": None, "plan_dirs": (), **choice(base)}
    with pytest.raises(UsageError, match=said):
        choose(None, **choice_of)  # type: ignore[arg-type]


def test_plan_of_the_data_repo_is_found_by_its_name(tmp_path: Path) -> None:
    """A name alone is a path, which is where a newcomer goes wrong."""
    layout = Layout(tmp_path)
    plan = layout.split("train") / "silo"
    plan.mkdir(parents=True)
    with pytest.raises(UsageError, match=re.escape(f"Did you mean {plan}?")):
        choose(layout, split="train", baseline_dir=None, plan_dirs=[Path("silo")])


def test_zips_that_are_not_unzipped_are_reported(tmp_path: Path) -> None:
    """The message says how many there are, and how to unzip them."""
    for name in ("a.zip", "b.zip"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=r"\. 2 zips there must be unzipped: `python -m prompt_l"):
        choose(None, split="train", baseline_dir=tmp_path, plan_dirs=())


def looked(base: Path, *names: str) -> dict[str, PlanInputs]:
    """Return what a step that reads `wanted` finds in the train plans."""
    plans = choose(None, split="train", baseline_dir=base, plan_dirs=())
    return inputs_of(plans, hosts.step(inputs=names), hosts.host(name_rules=RULES))


def test_inputs_are_found_with_their_digests(base: Path) -> None:
    """By the names that the step knows, in either generation of names."""
    (base / "train" / "silo" / TYPE).rename(base / "train" / "silo" / "plan_type.md")
    plans = looked(base, PLAN, TYPE)
    assert list(plans) == ["port", "silo"]
    silo = plans["silo"]
    assert silo.plan == "silo"
    assert silo.files == {
        PLAN: base / "train" / "silo" / PLAN,
        TYPE: base / "train" / "silo" / "plan_type.md",
    }
    assert silo.digests[TYPE] == hashlib.sha256(b"Physical.").hexdigest()
    assert plans["port"].digests == silo.digests


def test_inputs_may_lie_in_folders(base: Path) -> None:
    """A name with a folder in it is the path inside the plan."""
    for plan in ("silo", "port"):
        (base / "train" / plan / "parts").mkdir()
        (base / "train" / plan / "parts" / "1.json").write_text("{}")
    assert looked(base, "parts/1.json")["silo"].files == {
        "parts/1.json": base / "train" / "silo" / "parts" / "1.json"
    }


def test_step_that_reads_nothing_needs_nothing(base: Path) -> None:
    """There are inputs of every plan, without files."""
    folder = base / "train" / "silo"
    assert looked(base)["silo"] == PlanInputs(plan="silo", files={}, digests={}, folder=folder)


def test_all_problems_are_reported_at_once(base: Path) -> None:
    """Every artifact of every plan, with what is wrong with it; then what to do."""
    silo, port = base / "train" / "silo", base / "train" / "port"
    for folder in (silo, port):
        (folder / "torn.json").write_text('{"levers": [')
        (folder / "deep.json").write_text("[" * 100_000)
        (folder / "latin.md").write_bytes(b"Caf\xe9")
        (folder / "empty.md").write_text(" \n")
        (folder / "empty.json").touch()
        (folder / "1-two.md").write_text("x")
    (silo / PLAN).unlink()
    for folder in (silo, port):
        (folder / "001-1-two.md").write_text("x")
        (folder / "002-1-two.md").write_text("x")
    names = ("torn.json", "deep.json", "latin.md", "empty.md", "empty.json", "two.md", PLAN)
    with pytest.raises(UsageError) as caught:
        looked(base, *names)
    message = str(caught.value)
    assert message.startswith("The step find cannot run on these plans:\n")
    assert message.endswith("use plans that have these artifacts.")
    for plan in ("silo", "port"):
        for problem in (
            "torn.json is not JSON: ", "deep.json is not JSON: ", "latin.md is not UTF-8 (byte 3)",
            "empty.md is empty", "empty.json is empty",
            "two.md could be any of 001-1-two.md, 002-1-two.md; keep one of them.",
        ):  # fmt: skip
            assert f"{plan}: {problem}" in message
    assert f"silo: {PLAN} is missing" in message
    assert f"port: {PLAN}" not in message


def test_artifact_that_cannot_be_opened_is_reported(base: Path) -> None:
    """A link to nowhere is as good as missing, and a directory is not an artifact."""
    silo = base / "train" / "silo"
    (silo / PLAN).unlink()
    (silo / PLAN).symlink_to(silo / "gone")
    (silo / TYPE).unlink()
    (silo / TYPE).mkdir()
    with pytest.raises(UsageError) as caught:
        looked(base, PLAN, TYPE)
    assert f"silo: {PLAN} is missing" in str(caught.value)
    assert f"silo: {TYPE} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("wbs.json", b"plain text under a name in .json"),
        ("list.json", b"[]"),
        ("number.json", b"3"),
        ("marked.json", b"\xef\xbb\xbf{}"),
        ("picture.png", b"\x89PNG\xff"),
        ("rows.jsonl", b'{"torn'),
    ],
)
def test_readable_artifact_is_taken(base: Path, name: str, content: bytes) -> None:
    """Plain text under a name in .json, a byte order mark, and other kinds of files."""
    for plan in ("silo", "port"):
        (base / "train" / plan / name).write_bytes(content)
    assert list(looked(base, name)["silo"].files) == [name]


def test_step_that_reads_outside_the_plan_is_refused(base: Path) -> None:
    """An absolute path cannot be part of a plan."""
    with pytest.raises(UsageError, match="find reads outside the plan: /etc/hosts"):
        looked(base, "/etc/hosts")


def test_a_pointer_in_place_of_an_artifact_is_refused_by_name(base: Path) -> None:
    """Whatever kind of artifact it stands for."""
    (base / "train" / "silo" / PLAN).write_bytes(POINTER)
    plans = choose(Layout(base.parent), split="train", baseline_dir=None, plan_dirs=())
    with pytest.raises(UsageError, match=rf"silo: {PLAN} is a Git LFS pointer.*git lfs pull"):
        inputs_of(plans, hosts.step(inputs=(PLAN,)), hosts.host(name_rules=RULES))
