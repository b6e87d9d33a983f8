"""Takes baseline plans into the data repo: whole, once, and never another in their place."""

from __future__ import annotations

import fcntl
import filecmp
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from prompt_lab import dataset, unzip
from prompt_lab.dataset import Plan
from prompt_lab.errors import LabError
from prompt_lab.layout import SPLITS, Layout
from prompt_lab.offer import Arrival, Offer
from prompt_lab.progress import Listener
from prompt_lab.record import file_digest
from prompt_lab.unzip import Unpacked

_MOST_NAMED = 5
_MOST_UNPACKED = 10
"""A plan may unpack to so many times the bytes its zip may have."""


class Kind(Enum):
    """What became of an offered plan."""

    ADDED = "added"
    ALREADY_THERE = "already there"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class PlanOutcome:
    """What became of one plan, with what a person should know about it."""

    plan: str
    split: str
    kind: Kind
    files: int = 0
    notes: tuple[str, ...] = ()


def populate(
    layout: Layout, offers: Sequence[Offer], *, most_bytes: int, listener: Listener
) -> list[PlanOutcome]:
    """Take the offered plans in, one after the other; one that fails does not stop the others.

    A second process waits for the first. Killed at any moment, the same call finishes the work.

    Raises:
        OSError: the data repo cannot be written at all.
    """
    outcomes = []
    with _alone(layout, listener):
        for offer in offers:
            try:
                outcome = _take(layout, offer, most_bytes, listener)
            except LabError as error:
                outcome = _failed(offer, str(error))
            except OSError as error:
                outcome = _failed(offer, f"{error}. Mend that and repeat the command.")
            finally:
                _empty(layout.incoming)
            outcomes.append(outcome)
            listener.said(line(outcome))
    return outcomes


def _failed(offer: Offer, cause: str) -> PlanOutcome:
    return PlanOutcome(plan=offer.plan, split=offer.split, kind=Kind.FAILED, notes=(cause,))


def line(outcome: PlanOutcome) -> str:
    """Say what became of a plan."""
    files = f", {outcome.files} files" if outcome.files else ""
    notes = "".join(f"\n  {note}" for note in outcome.notes)
    return f"{outcome.split}/{outcome.plan}: {outcome.kind.value}{files}{notes}"


@contextmanager
def _alone(layout: Layout, listener: Listener) -> Iterator[None]:
    """Hold the lock of `incoming`, and clear away what a killed process left there."""
    layout.locks.mkdir(parents=True, exist_ok=True)
    with layout.incoming_lock.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            listener.said("Another populate is at work in this data repo; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        layout.incoming.mkdir(parents=True, exist_ok=True)
        _empty(layout.incoming)
        try:
            yield
        finally:
            _empty(layout.incoming)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _take(layout: Layout, offer: Offer, most_bytes: int, listener: Listener) -> PlanOutcome:
    held = _held(layout, offer)
    place, archive = layout.plan(offer.split, offer.plan), layout.archive(offer.split, offer.plan)
    is_whole = held.sha256 is not None and place.is_dir() and archive.is_file()
    part = layout.incoming / archive.name
    arrival = offer.bring(
        part, known=held if is_whole else None, most=most_bytes, listener=listener
    )
    if arrival is not None:
        _refuse_another(offer, arrival, held, archive)
    if arrival is None or is_whole:
        return _already_there(offer, held, place)
    unpacked = unzip.unpack(
        part,
        layout.incoming / offer.plan,
        called=offer.called,
        limits=unzip.UnzipLimits(total_bytes=_MOST_UNPACKED * most_bytes),
    )
    # The record of the plan comes last: until it stands there, all of this is done again.
    _place(layout.incoming / offer.plan, place)
    if not archive.exists():
        part.rename(archive)
    notes = [*_notes(unpacked), *_twins(layout, offer, arrival)]
    facts = {"url": arrival.url, "etag": arrival.etag} if arrival.url else {}
    entry = held.model_copy(update={"sha256": arrival.sha256, "files": unpacked.files, **facts})
    dataset.save(layout, dataset.load(layout).with_plan(offer.split, entry))
    return PlanOutcome(
        plan=offer.plan,
        split=offer.split,
        kind=Kind.ADDED,
        files=unpacked.files,
        notes=tuple(notes),
    )


def _held(layout: Layout, offer: Offer) -> Plan:
    """Return what the data repo knows of the plan, which may be its name only."""
    if problem := dataset.name_problem(offer.plan):
        raise LabError(f"{problem}. Rename {offer.called}.")
    found = dataset.load(layout).find(offer.plan)
    others = [
        split
        for split in SPLITS
        if layout.plan(split, offer.plan).exists() or layout.archive(split, offer.plan).exists()
    ]
    if found is not None:
        others.append(found[0])
        if found[1].name != offer.plan:
            raise LabError(
                f"{found[0]}/{found[1].name} is here, and {offer.plan} differs from it only in "
                f"case. Give {offer.called} another name."
            )
    for other in others:
        if other != offer.split:
            raise LabError(
                f"{offer.plan} belongs to the split {other}; a plan is in one split only. "
                f"Say --split {other}, or give {offer.called} another name."
            )
    return found[1] if found is not None else Plan(name=offer.plan)


def _refuse_another(offer: Offer, arrival: Arrival, held: Plan, archive: Path) -> None:
    stored = file_digest(archive) if archive.is_file() else None
    if held.sha256 and stored and stored != held.sha256:
        raise LabError(
            f"{archive} is not the zip that dataset.json records (sha256 {stored[:12]}, recorded "
            f"{held.sha256[:12]}). It is damaged or a Git LFS pointer: `git lfs pull`, or move it "
            "away, and repeat the command."
        )
    here = held.sha256 or stored
    if here and here != arrival.sha256:
        raise LabError(
            f"{offer.split}/{offer.plan} is known with other content (sha256 {here[:12]}, offered "
            f"{arrival.sha256[:12]}), and runs refer to it. Nothing is replaced: give "
            f"{offer.called} another name, such as {offer.plan}-2.zip."
        )


def _already_there(offer: Offer, held: Plan, place: Path) -> PlanOutcome:
    files = len(_files(place))
    notes = []
    if held.files is not None and files != held.files:
        notes.append(
            f"warning: it has {files} files now and had {held.files}; somebody changed it. To have "
            f"it anew, move {place} away and repeat the command."
        )
    return PlanOutcome(
        plan=offer.plan,
        split=offer.split,
        kind=Kind.ALREADY_THERE,
        files=files,
        notes=tuple(notes),
    )


def _place(unpacked: Path, place: Path) -> None:
    """Put the plan's directory in its place, or find that it is there since an earlier kill."""
    if place.is_dir() and any(place.iterdir()):
        ours, theirs = _files(unpacked), _files(place)
        if ours != theirs or filecmp.cmpfiles(unpacked, place, ours, shallow=False)[0] != ours:
            raise LabError(
                f"{place} is there, and is not what the zip holds. Nothing is replaced: move it "
                "away, or give the zip another name, and repeat the command."
            )
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    unpacked.rename(place)


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _notes(unpacked: Unpacked) -> Iterator[str]:
    if unpacked.ignored:
        yield f"ignored, as no part of a plan: {_some(unpacked.ignored)}"
    if unpacked.damaged:
        yield (
            f"warning: damaged JSON, kept as it is: {_some(unpacked.damaged)}. "
            "Steps that read it will refuse this plan."
        )


def _twins(layout: Layout, offer: Offer, arrival: Arrival) -> Iterator[str]:
    for split, plan in dataset.load(layout).rows():
        if plan.sha256 == arrival.sha256 and plan.name != offer.plan:
            yield f"warning: this is the same zip as {split}/{plan.name}, so it is no new evidence."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
