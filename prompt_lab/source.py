"""Finds the zips that a folder, a zip, an address or the installed package offers."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from model_gateway.foreign_files import expanded
from model_gateway.invocation import typed
from model_gateway.suggestions import did_you_mean
from prompt_lab.dataset import Dataset, name_problem
from prompt_lab.errors import LabError
from prompt_lab.layout import SPLITS, Layout
from prompt_lab.offer import LocalZip, Offer

_SUFFIX = ".zip"


@dataclass(frozen=True, kw_only=True)
class SourceRequest:
    """What to take of a source: this split, these plans; None and () mean all."""

    split: str | None = None
    plans: tuple[str, ...] = ()


def samples() -> Traversable:
    """Return the folder of the bundled sample plans.

    Raises:
        LabError: there are none in this installation.
    """
    folder = importlib.resources.files("prompt_lab") / "samples"
    if not any(_zips(folder / split) for split in SPLITS):
        raise LabError(
            "This installation holds no sample plans. Give a source of your own: "
            + typed("lab populate SOURCE")
        )
    return folder


def offers(
    source: str | Traversable | None, request: SourceRequest, layout: Layout, dataset: Dataset
) -> list[Offer]:
    """Return the zips to add, in the order train, verify; None is the dataset's own source.

    Raises:
        LabError: the source or a requested plan does not exist, or the split of a plan is
            unclear; the message lists every problem.
    """
    if source is None:
        source = dataset.source
        if source and not _is_address(source):
            source = str(layout.root / expanded(source))
    if not source:
        raise LabError(
            f"Populate from where? {layout.dataset} names no source. "
            f"Try: {typed('lab populate SOURCE')} (a folder, a zip, an address), or --samples"
        )
    if isinstance(source, str) and _is_address(source):
        zips = _at_address(source, request, dataset)
    elif isinstance(source, str):
        zips = _in_folder(expanded(source), request, dataset)
    else:
        zips = _in_folder(source, request, dataset)
    _refuse_doubles(zips)
    return zips


def _is_address(source: str) -> bool:
    scheme, separator, _ = source.partition("://")
    if separator and scheme.lower() not in ("http", "https"):
        raise LabError(
            f"{scheme}:// is not supported. Give a folder, a zip, or an http(s):// address."
        )
    return bool(separator)


def _in_folder(folder: Traversable, request: SourceRequest, dataset: Dataset) -> list[Offer]:
    if folder.is_file():
        pairs: list[tuple[str | None, Traversable]] = [(None, folder)]
    elif not folder.is_dir():
        raise LabError(f"{folder} does not exist. Give a folder of zips, a zip, or an address.")
    elif any((folder / split).is_dir() for split in SPLITS):
        pairs = [(s, z) for s in SPLITS if request.split in (None, s) for z in _zips(folder / s)]
    else:
        pairs = [(None, z) for z in _zips(folder)]
    names = {_stem(file.name) for _, file in pairs}
    _refuse_unknown(request.plans, names, str(folder))
    chosen = [(s, z) for s, z in pairs if not request.plans or _stem(z.name) in request.plans]
    if not chosen:
        within = f" for the split {request.split}" if request.split else ""
        raise LabError(
            f"{folder} holds no zips{within}. It should hold PLAN.zip, or train/PLAN.zip and "
            "verify/PLAN.zip."
        )
    splits = _split_of([_stem(z.name) for s, z in chosen if s is None], request, dataset)
    return [
        LocalZip(plan=_stem(file.name), split=split or splits[_stem(file.name)], file=file)
        for split, file in chosen
    ]


def _at_address(address: str, request: SourceRequest, dataset: Dataset) -> list[Offer]:
    # Imported here because it takes longer than everything a local source needs.
    from prompt_lab.download import RemoteZip, public

    if not _is_prefix(address):
        raise LabError(
            "The source cannot be the start of zip addresses: it needs a host and must have no '?' "
            "or '#'. A plan's zip is expected at SOURCE/PLAN.zip."
        )
    prefix, names, by_split = address.rstrip("/"), request.plans, dataset.source_has_splits
    if prefix.lower().endswith(_SUFFIX):
        prefix, _, file = prefix.rpartition("/")
        names, by_split = (_stem(file),), False
        _refuse_unknown(request.plans, names, public(address))
    names = names or tuple(p.name for s, p in dataset.rows() if request.split in (None, s))
    if not names:
        raise LabError(
            f"Which plans of {public(address)}? Name them with --plan NAME, or list them in "
            "dataset.json under splits."
        )
    if problems := [problem for name in names if (problem := name_problem(name))]:
        raise LabError("\n".join(problems) + "\nCorrect --plan or dataset.json.")
    splits = _split_of(names, request, dataset)
    return [
        RemoteZip(
            plan=name,
            split=splits[name],
            url=f"{prefix}/{splits[name]}/{name}{_SUFFIX}"
            if by_split
            else f"{prefix}/{name}{_SUFFIX}",
        )
        for name in sorted(dict.fromkeys(names), key=lambda name: splits[name])
    ]


def _is_prefix(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and not (parts.query or parts.fragment)


def _split_of(names: Iterable[str], request: SourceRequest, dataset: Dataset) -> dict[str, str]:
    """Return the split of each plan: the requested one, or the one that lists it."""
    listed = {name: row[0] for name in names if (row := dataset.find(name))}
    splits = {name: request.split or listed.get(name) for name in names}
    if unclear := sorted(name for name, split in splits.items() if split is None):
        raise LabError(
            f"Train or verify? The split of {', '.join(unclear)} is unclear. Say --split train or "
            "--split verify, or list them in dataset.json."
        )
    return {name: split for name, split in splits.items() if split}


def _refuse_unknown(plans: Sequence[str], names: Iterable[str], source: str) -> None:
    offered = sorted(names)
    problems = [f"  {plan}.{did_you_mean(plan, offered)}" for plan in plans if plan not in offered]
    if problems:
        raise LabError(
            f"{source} has no plan of this name:\n" + "\n".join(problems) + "\nIt has: "
            f"{', '.join(offered) or 'none'}."
        )


def _refuse_doubles(offers: Sequence[Offer]) -> None:
    seen: dict[str, Offer] = {}
    problems = []
    for offer in offers:
        other = seen.setdefault(offer.plan.casefold(), offer)
        if other is not offer:
            problems.append(f"  {other.called} and {offer.called}")
    if problems:
        raise LabError(
            "Two zips for one plan; a plan has one zip and one split:\n"
            + "\n".join(problems)
            + "\nRename one of each, or take one: --split train or --split verify."
        )


def _zips(folder: Traversable) -> list[Traversable]:
    return sorted(_each_zip(folder), key=lambda file: file.name)


def _each_zip(folder: Traversable) -> Iterator[Traversable]:
    if folder.is_dir():
        for file in folder.iterdir():
            # macOS puts a file ._NAME.zip beside NAME.zip on foreign disks.
            if file.name.lower().endswith(_SUFFIX) and not file.name.startswith("."):
                yield file


def _stem(name: str) -> str:
    return PurePosixPath(name).stem if name.lower().endswith(_SUFFIX) else name
