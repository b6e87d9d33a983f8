"""Taking plans in: what is added, skipped and refused, and what is recorded of it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from prompt_lab import dataset
from prompt_lab.layout import Layout
from prompt_lab.offer import LocalZip, Offer
from prompt_lab.populate import Kind, PlanOutcome, populate
from prompt_lab.source import SourceRequest, offers
from tests.prompt_lab.conftest import PLAN, RECORDED, Heard, make_zip, tree
from tests.prompt_lab.server import content, serving


def _offer(file: Path, split: str = "train") -> Offer:
    return LocalZip(plan=file.stem, split=split, file=file)


def _take(lab: Layout, *text: Offer, most: int = 1_000_000) -> list[PlanOutcome]:
    return populate(lab, text, most_bytes=most, listener=Heard())


def _notes(outcomes: Sequence[PlanOutcome]) -> str:
    """Return why the only outcome is a failure."""
    [outcome] = outcomes
    assert outcome.kind is Kind.FAILED
    return "\n".join(outcome.notes)


def test_plan_is_added_and_recorded(tmp_path: Path, lab: Layout) -> None:
    """Its directory, its zip and its row are there; what was under way is gone."""
    silo = make_zip(tmp_path / "silo.zip")
    [outcome] = _take(lab, _offer(silo))
    assert (outcome.kind, outcome.files) == (Kind.ADDED, 3)
    assert tree(lab.plan("train", "silo")) == {name: text.encode() for name, text in PLAN.items()}
    assert lab.archive("train", "silo").read_bytes() == silo.read_bytes()
    plan = dataset.load(lab).find("silo")
    assert plan is not None
    assert plan[0] == "train"
    assert plan[1].model_dump() == {
        "name": "silo",
        "sha256": hashlib.sha256(silo.read_bytes()).hexdigest(),
        "files": 3,
    }
    assert not list(lab.incoming.iterdir())


def test_same_zip_again_is_skipped(tmp_path: Path, lab: Layout) -> None:
    """Nothing changes, and it is said."""
    silo = make_zip(tmp_path / "silo.zip")
    _take(lab, _offer(silo))
    before = tree(lab.root)
    heard = Heard()
    [outcome] = populate(lab, [_offer(silo)], most_bytes=10_000, listener=heard)
    assert (outcome.kind, outcome.notes) == (Kind.ALREADY_THERE, ())
    assert heard.lines == ["train/silo: already there, 3 files"]
    assert tree(lab.root) == before


def test_other_zip_under_the_same_name_is_refused(tmp_path: Path, lab: Layout) -> None:
    """Runs refer to the plan by its name, so it stays what it was."""
    _take(lab, _offer(make_zip(tmp_path / "silo.zip")))
    before = tree(lab.root)
    other = make_zip(tmp_path / "other" / "silo.zip", {**PLAN, "new.md": "x"})
    assert "silo-2.zip" in _notes(_take(lab, _offer(other)))
    assert tree(lab.root) == before


def test_recorded_digest_is_kept_even_without_the_files(tmp_path: Path, lab: Layout) -> None:
    """A clone without baselines takes the recorded zip again, and no other."""
    silo = make_zip(tmp_path / "silo.zip")
    _take(lab, _offer(silo))
    shutil.rmtree(lab.plan("train", "silo"))
    lab.archive("train", "silo").unlink()
    other = make_zip(tmp_path / "other" / "silo.zip", {**PLAN, "new.md": "x"})
    assert "exists with other content" in _notes(_take(lab, _offer(other)))
    assert [outcome.kind for outcome in _take(lab, _offer(silo))] == [Kind.ADDED]


@pytest.mark.parametrize("missing", ["directory", "zip", "row"])
def test_what_is_missing_is_restored(tmp_path: Path, lab: Layout, missing: str) -> None:
    """Of directory, zip and row any may be lost; the rest is left as it is."""
    silo = make_zip(tmp_path / "silo.zip")
    empty = lab.dataset.read_bytes()
    _take(lab, _offer(silo))
    before = tree(lab.root)
    if missing == "directory":
        shutil.rmtree(lab.plan("train", "silo"))
    elif missing == "zip":
        lab.archive("train", "silo").unlink()
    else:
        lab.dataset.write_bytes(empty)
    assert [outcome.kind for outcome in _take(lab, _offer(silo))] == [Kind.ADDED]
    assert tree(lab.root) == before


def test_directory_of_somebody_else_is_not_replaced(tmp_path: Path, lab: Layout) -> None:
    """A directory of the plan's name with other content stays."""
    mine = lab.plan("train", "silo") / "plan.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = tree(lab.root)
    message = _notes(_take(lab, _offer(make_zip(tmp_path / "silo.zip"))))
    assert "Nothing was replaced" in message
    assert {**before, "history/.locks/incoming": b""} == tree(lab.root)


def test_zip_that_is_not_the_recorded_one_is_reported(tmp_path: Path, lab: Layout) -> None:
    """A clone without Git LFS holds a pointer in its place."""
    silo = make_zip(tmp_path / "silo.zip")
    _take(lab, _offer(silo))
    lab.archive("train", "silo").write_text("version https://git-lfs.github.com/spec/v1")
    assert "git lfs pull" in _notes(_take(lab, _offer(silo)))


def test_plan_of_one_split_is_refused_in_the_other(tmp_path: Path, lab: Layout) -> None:
    """Also if only its files are there, because a process was killed before the row."""
    silo = make_zip(tmp_path / "silo.zip")
    empty = lab.dataset.read_bytes()
    _take(lab, _offer(silo))
    assert "belongs to the split train" in _notes(_take(lab, _offer(silo, "verify")))
    lab.dataset.write_bytes(empty)
    assert "belongs to the split train" in _notes(_take(lab, _offer(silo, "verify")))


def test_name_that_differs_only_in_case_is_refused(tmp_path: Path, lab: Layout) -> None:
    """On some disks it would be the same directory."""
    _take(lab, _offer(make_zip(tmp_path / "silo.zip")))
    assert "only in case" in _notes(_take(lab, _offer(make_zip(tmp_path / "Silo.zip"))))


@pytest.mark.parametrize("name", ["-rf.zip", "a b.zip", "silo.zip.zip", "é.zip"])
def test_bad_name_is_refused(tmp_path: Path, lab: Layout, name: str) -> None:
    """The message says what a name may be made of, or why this one cannot be."""
    assert "cannot be the name" in _notes(_take(lab, _offer(make_zip(tmp_path / name))))


def test_one_bad_zip_does_not_stop_the_others(tmp_path: Path, lab: Layout) -> None:
    """It is reported, it leaves nothing, and the next ones are taken."""
    bad = make_zip(tmp_path / "bad.zip", {"../x": "x"})
    outcomes = _take(lab, _offer(bad), _offer(make_zip(tmp_path / "silo.zip")))
    assert [outcome.kind for outcome in outcomes] == [Kind.FAILED, Kind.ADDED]
    assert str(bad) in outcomes[0].notes[0]
    assert sorted(path.name for path in lab.split("train").iterdir()) == ["silo", "silo.zip"]


def test_zip_that_cannot_be_read_or_is_too_large_is_reported(tmp_path: Path, lab: Layout) -> None:
    """Both name the zip."""
    assert "cannot be read" in _notes(_take(lab, _offer(tmp_path / "gone.zip")))
    assert "--max-bytes" in _notes(_take(lab, _offer(make_zip(tmp_path / "silo.zip")), most=9))


def test_warnings_are_reported(tmp_path: Path, lab: Layout) -> None:
    """What was ignored, damaged JSON, the same zip under two names, a directory since changed."""
    members = {
        **PLAN,
        "torn.json": "{",
        "__MACOSX/x": "",
        **{f"{n}/.DS_Store": "" for n in "abcdef"},
    }
    silo = make_zip(tmp_path / "silo.zip", members)
    [outcome] = _take(lab, _offer(silo))
    assert outcome.notes[0].endswith("__MACOSX/x, a/.DS_Store, b/.DS_Store, c/.DS_Store, "
                                     "d/.DS_Store and 2 more")  # fmt: skip
    assert "damaged JSON, stored unchanged: torn.json" in outcome.notes[1]
    twin = Path(shutil.copy(silo, tmp_path / "twin.zip"))
    [outcome] = _take(lab, _offer(twin, "verify"))
    assert "same zip as train/silo" in outcome.notes[-1]
    (lab.plan("train", "silo") / "torn.json").unlink()
    [outcome] = _take(lab, _offer(silo))
    assert "3 files and had 4" in outcome.notes[0]


def test_download_is_recorded_with_its_address(tmp_path: Path, lab: Layout) -> None:
    """Later the server is asked only whether it has something else."""
    data = make_zip(tmp_path / "silo.zip").read_bytes()
    with serving() as server:
        server.paths["/silo.zip"] = content(data, etag='"v1"')
        request = SourceRequest(split="train", plans=("silo", "gone"))
        offered = offers(server.address, request, lab, dataset.load(lab))
        kinds = [outcome.kind for outcome in _take(lab, *offered)]
        assert kinds == [Kind.ADDED, Kind.FAILED]
        assert [outcome.kind for outcome in _take(lab, offered[0])] == [Kind.ALREADY_THERE]
        server.paths["/silo.zip"] = content(data + b"x", etag='"v2"')
        assert "exists with other content" in _notes(_take(lab, offered[0]))
        assert [code for _, code in server.requests] == [200, 404, 304, 200]
        address = server.address
    [(_, plan)] = dataset.load(lab).rows()
    assert (plan.url, plan.etag) == (f"{address}/silo.zip", '"v1"')


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded plans are not beside this checkout")
def test_recorded_plans_are_taken(lab: Layout) -> None:
    """All nine, without a warning."""
    offered = offers(str(RECORDED), SourceRequest(), lab, dataset.load(lab))
    outcomes = _take(lab, *offered, most=100_000_000)
    assert [outcome.kind for outcome in outcomes] == [Kind.ADDED] * 9
    assert [outcome.notes for outcome in outcomes] == [()] * 9
    assert sum(outcome.files for outcome in outcomes) == 1584
