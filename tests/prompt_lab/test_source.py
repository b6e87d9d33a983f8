"""Which zips a source offers, and for which split."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import pytest

from prompt_lab.dataset import Dataset
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from prompt_lab.offer import Offer
from prompt_lab.source import SourceRequest, offers, samples
from tests.prompt_lab.conftest import make_zip

LISTED = Dataset.model_validate({"splits": {"train": ["silo", "farm"], "verify": ["port"]}})


def _pairs(offered: list[Offer]) -> list[tuple[str, str]]:
    return [(offer.split, offer.plan) for offer in offered]


def _offers(
    source: str | Path | None, lab: Layout, dataset: Dataset | None = None, **request: object
) -> list[Offer]:
    text = str(source) if source is not None else None
    return offers(text, SourceRequest(**request), lab, dataset or Dataset())  # type: ignore[arg-type]


@pytest.fixture
def zips(tmp_path: Path) -> Path:
    """Return a folder with two train zips, one verify zip, and things that are none."""
    folder = tmp_path / "zips"
    for name in ("train/silo.zip", "train/farm.ZIP", "verify/port.zip", "train/._silo.zip"):
        make_zip(folder / name)
    (folder / "train" / "notes.md").write_text("x")
    return folder


def test_folder_with_splits(zips: Path, lab: Layout) -> None:
    """Each zip is for the split whose folder it is in."""
    expected = [("train", "farm"), ("train", "silo"), ("verify", "port")]
    assert _pairs(_offers(zips, lab)) == expected
    assert _pairs(_offers(zips, lab, split="verify")) == [("verify", "port")]
    assert _pairs(_offers(zips, lab, plans=("silo",))) == [("train", "silo")]


def test_flat_folder_needs_a_split(zips: Path, lab: Layout) -> None:
    """It is the one that was said, or the one that lists the plan."""
    assert _pairs(_offers(zips / "verify", lab, split="train")) == [("train", "port")]
    assert _pairs(_offers(zips / "verify", lab, LISTED)) == [("verify", "port")]
    with pytest.raises(LabError, match="farm, silo is unclear"):
        _offers(zips / "train", lab)


def test_single_zip(zips: Path, lab: Layout) -> None:
    """A zip is a source of one plan."""
    assert _pairs(_offers(zips / "train" / "silo.zip", lab, split="verify")) == [("verify", "silo")]


def test_source_of_the_dataset(zips: Path, lab: Layout) -> None:
    """Without a source it is the dataset's, which may be relative to the data repo."""
    assert len(_offers(None, lab, Dataset(source="../zips"))) == len(_offers(zips, lab))
    with pytest.raises(LabError, match="names no source"):
        _offers(None, lab)


def test_missing_things_are_named(zips: Path, lab: Layout) -> None:
    """A wrong path, an empty folder and a plan that is not there each say what is."""
    with pytest.raises(LabError, match="nowhere does not exist"):
        _offers(zips / "nowhere", lab)
    (zips / "empty").mkdir()
    with pytest.raises(LabError, match="holds no zips"):
        _offers(zips / "empty", lab)
    with pytest.raises(LabError, match=r"silos\. Did you mean silo\?\n  x\.\n"):
        _offers(zips, lab, plans=("silos", "x"))


def test_plan_in_both_splits_is_refused(zips: Path, lab: Layout) -> None:
    """A plan that trains cannot verify; names that differ only in case are the same."""
    make_zip(zips / "verify" / "Silo.zip")
    with pytest.raises(LabError, match="one split"):
        _offers(zips, lab)
    assert len(_offers(zips, lab, split="train")) == 2


def test_address_takes_names_from_the_dataset(lab: Layout) -> None:
    """The zips lie right below the address, or in folders of the splits if dataset.json says so."""
    offered = _offers("https://example.org/x/", lab, LISTED)
    assert [offer.called for offer in offered] == [
        "https://example.org/x/silo.zip",
        "https://example.org/x/farm.zip",
        "https://example.org/x/port.zip",
    ]
    by_split = LISTED.model_copy(update={"source_has_splits": True})
    [port] = _offers("https://example.org/x", lab, by_split, split="verify")
    assert port.called == "https://example.org/x/verify/port.zip"


def test_address_takes_names_from_the_command(lab: Layout) -> None:
    """Plans that are not listed need a split; an address of a zip names the plan itself."""
    [mill] = _offers("http://example.org", lab, plans=("mill",), split="train")
    assert (mill.split, mill.called) == ("train", "http://example.org/mill.zip")
    [zipped] = _offers("http://example.org/a/mill.zip", lab, split="train")
    assert (zipped.plan, zipped.called) == ("mill", "http://example.org/a/mill.zip")
    with pytest.raises(LabError, match="mill is unclear"):
        _offers("http://example.org", lab, plans=("mill",))
    with pytest.raises(LabError, match=r"Which plans of http://example\.org:?"):
        _offers("http://user:secret@example.org", lab)


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("ftp://example.org/", "ftp:// is not supported"),
        ("file:///etc/", "file:// is not supported"),
        ("https://", "needs a host"),
        ("https://example.org/?token=secret", "no '\\?'"),
        ("https://[x/", "needs a host"),
    ],
)
def test_addresses_that_are_refused(lab: Layout, address: str, cause: str) -> None:
    """Only plain http and https prefixes are read, and no message repeats a token."""
    with pytest.raises(LabError, match=cause) as caught:
        _offers(address, lab, LISTED)
    assert "secret" not in str(caught.value)


def test_name_that_would_change_the_address_is_refused(lab: Layout) -> None:
    """Names are checked before they become part of an address."""
    with pytest.raises(LabError, match="cannot be the name"):
        _offers("http://example.org", lab, plans=("../../x",), split="train")


def test_missing_samples_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without sample plans says so, and what to do instead."""
    monkeypatch.setattr(importlib.resources, "files", lambda _: tmp_path)
    with pytest.raises(LabError, match="no sample plans"):
        samples()


def test_bundled_samples_are_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lab: Layout
) -> None:
    """The folder in the package has the same shape as any other."""
    make_zip(tmp_path / "samples" / "train" / "mill.zip")
    monkeypatch.setattr(importlib.resources, "files", lambda _: tmp_path)
    assert _pairs(offers(samples(), SourceRequest(), lab, Dataset())) == [("train", "mill")]
