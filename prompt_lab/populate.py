"""Adds baseline plans to the data repo: complete, once, and never replacing another."""

from __future__ import annotations

import fcntl
import filecmp
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from model_gateway.counts import counted
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
"""A plan may unpack to this many times the size allowed for its zip."""


class Kind(Enum):
    """The outcome for an offered plan."""

    ADDED = "added"
    ALREADY_THERE = "already there"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class PlanOutcome:
    """The outcome for one plan, with notes for people."""

    plan: str
    split: str
    kind: Kind
    files: int = 0
    notes: tuple[str, ...] = ()


def populate(
    layout: Layout, offers: Sequence[Offer], *, most_bytes: int, listener: Listener
) -> list[PlanOutcome]:
    """Add the offered plans, one after the other; one that fails does not stop the others.

    A second process waits for the first. If killed, the same call finishes the work.

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
                outcome = _failed(offer, f"{error}. Fix that and run the same command again.")
            finally:
                _empty(layout.incoming)
            outcomes.append(outcome)
            listener.message(line(outcome))
    return outcomes


def _failed(offer: Offer, cause: str) -> PlanOutcome:
    return PlanOutcome(plan=offer.plan, split=offer.split, kind=Kind.FAILED, notes=(cause,))


def line(outcome: PlanOutcome) -> str:
    """Return the outcome of a plan as lines."""
    files = f", {counted(outcome.files, 'file')}" if outcome.files else ""
    notes = "".join(f"\n  {note}" for note in outcome.notes)
    return f"{outcome.split}/{outcome.plan}: {outcome.kind.value}{files}{notes}"


@contextmanager
def _alone(layout: Layout, listener: Listener) -> Iterator[None]:
    """Hold the lock of `incoming`, and remove what a killed process left there."""
    layout.locks.mkdir(parents=True, exist_ok=True)
    with layout.incoming_lock.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            listener.message("Another populate is running in this data repo; waiting for it.")
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
    plan = _recorded(layout, offer)
    folder, archive = layout.plan(offer.split, offer.plan), layout.archive(offer.split, offer.plan)
    is_complete = plan.sha256 is not None and folder.is_dir() and archive.is_file()
    part = layout.incoming / archive.name
    arrival = offer.bring(
        part, recorded=plan if is_complete else None, most=most_bytes, listener=listener
    )
    if arrival is not None:
        _refuse_other_content(offer, arrival, plan, archive)
    if arrival is None or is_complete:
        return _already_there(offer, plan, folder)
    unpacked = unzip.unpack(
        part,
        layout.incoming / offer.plan,
        called=offer.called,
        limits=unzip.UnzipLimits(total_bytes=_MOST_UNPACKED * most_bytes),
    )
    # The record of the plan comes last: without it, all of this is repeated.
    _move(layout.incoming / offer.plan, folder)
    if not archive.exists():
        part.rename(archive)
    notes = [*_notes(unpacked), *_twins(layout, offer, arrival)]
    facts = {"url": arrival.url, "etag": arrival.etag} if arrival.url else {}
    entry = plan.model_copy(update={"sha256": arrival.sha256, "files": unpacked.files, **facts})
    dataset.save(layout, dataset.load(layout).with_plan(offer.split, entry))
    return PlanOutcome(
        plan=offer.plan,
        split=offer.split,
        kind=Kind.ADDED,
        files=unpacked.files,
        notes=tuple(notes),
    )


def _recorded(layout: Layout, offer: Offer) -> Plan:
    """Return the data repo's record of the plan, which may hold only its name."""
    if problem := dataset.name_problem(offer.plan):
        raise LabError(f"{problem}. Rename {offer.called}.")
    record = dataset.load(layout).find(offer.plan)
    splits = [
        split
        for split in SPLITS
        if layout.plan(split, offer.plan).exists() or layout.archive(split, offer.plan).exists()
    ]
    if record is not None:
        splits.append(record[0])
        if record[1].name != offer.plan:
            raise LabError(
                f"{record[0]}/{record[1].name} exists, and {offer.plan} differs from it only in "
                f"case. Give {offer.called} another name."
            )
    for split in splits:
        if split != offer.split:
            raise LabError(
                f"{offer.plan} belongs to the split {split}; a plan is in one split only. "
                f"Say --split {split}, or give {offer.called} another name."
            )
    return record[1] if record is not None else Plan(name=offer.plan)


def _refuse_other_content(offer: Offer, arrival: Arrival, plan: Plan, archive: Path) -> None:
    stored = file_digest(archive) if archive.is_file() else None
    if plan.sha256 and stored and stored != plan.sha256:
        raise LabError(
            f"{archive} is not the zip that dataset.json records (sha256 {stored[:12]}, recorded "
            f"{plan.sha256[:12]}). It is damaged or a Git LFS pointer: `git lfs pull`, or move it "
            "away, and run the same command again."
        )
    here = plan.sha256 or stored
    if here and here != arrival.sha256:
        raise LabError(
            f"{offer.split}/{offer.plan} exists with other content (sha256 {here[:12]}, offered "
            f"{arrival.sha256[:12]}), and runs refer to it. Nothing was replaced: give "
            f"{offer.called} another name, such as {offer.plan}-2.zip."
        )


def _already_there(offer: Offer, plan: Plan, folder: Path) -> PlanOutcome:
    files = len(_files(folder))
    notes = []
    if plan.files is not None and files != plan.files:
        notes.append(
            f"warning: it has {files} files and had {plan.files}; somebody changed it. To restore "
            f"it, move {folder} away and run the same command again."
        )
    return PlanOutcome(
        plan=offer.plan,
        split=offer.split,
        kind=Kind.ALREADY_THERE,
        files=files,
        notes=tuple(notes),
    )


def _move(unpacked: Path, folder: Path) -> None:
    """Move the plan's directory to `folder`, unless a killed process has done so."""
    if folder.is_dir() and any(folder.iterdir()):
        ours, theirs = _files(unpacked), _files(folder)
        if ours != theirs or filecmp.cmpfiles(unpacked, folder, ours, shallow=False)[0] != ours:
            raise LabError(
                f"{folder} exists and differs from the zip. Nothing was replaced: move it away, "
                "or give the zip another name, and run the same command again."
            )
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    unpacked.rename(folder)


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _notes(unpacked: Unpacked) -> Iterator[str]:
    if unpacked.ignored:
        yield f"ignored, because not part of a plan: {_some(unpacked.ignored)}"
    if unpacked.damaged:
        yield (
            f"warning: damaged JSON, stored unchanged: {_some(unpacked.damaged)}. "
            "Steps that read it will refuse this plan."
        )


def _twins(layout: Layout, offer: Offer, arrival: Arrival) -> Iterator[str]:
    for split, plan in dataset.load(layout).rows():
        if plan.sha256 == arrival.sha256 and plan.name != offer.plan:
            yield f"warning: this is the same zip as {split}/{plan.name}, so it adds no evidence."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
