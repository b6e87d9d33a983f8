"""The plans a run works on: where they are, and which of their artifacts a step needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_gateway.counts import counted
from model_gateway.foreign_files import MOST_RECORD, json_of, read_bytes, resolved
from model_gateway.invocation import typed
from prompt_lab import lfs
from prompt_lab.layout import SPLITS, Layout
from prompt_lab.record import file_digest
from self_improve.errors import UsageError
from self_improve.host.contract import Host
from self_improve.host.pipeline import StepFacts


@dataclass(frozen=True, kw_only=True)
class BaselinePlan:
    """A plan as the pipeline produced it before any change."""

    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """The artifacts of one plan that a step reads, with their SHA-256, by the step's own names.

    `folder` is the stored plan, `late` the names of those that the step asked for while it ran.
    """

    plan: str
    files: Mapping[str, Path]
    digests: Mapping[str, str]
    folder: Path | None = None
    late: frozenset[str] = frozenset()

    def with_late(self, names: Iterable[str], step: StepFacts) -> PlanInputs | None:
        """Return these with more, or None if the stored plan holds none of the `names` besides.

        A name may be that of a directory. What the step itself writes is not given to it.

        Raises:
            UsageError: one of them cannot be read.
        """
        if self.folder is None:
            return None
        files: dict[str, Path] = {}
        for name in names:
            for path in _stored(self.folder, name):
                inner = path.relative_to(self.folder).as_posix()
                if inner not in self.files and not _is_among(inner, step.outputs):
                    files[inner] = path
        faults = [f"{n} {fault}" for n, p in files.items() if (fault := _fault_in(p, empty=True))]
        if faults:
            raise UsageError(f"{self.plan}: {'; '.join(faults)}")
        digests = {name: file_digest(path) for name, path in files.items()}
        return replace(
            self, files={**self.files, **files}, digests={**self.digests, **digests},
            late=self.late | files.keys(),
        ) if files else None  # fmt: skip

    @property
    def late_digests(self) -> dict[str, str]:
        """The SHA-256 of those that the step asked for while it ran."""
        return {name: self.digests[name] for name in sorted(self.late)}


def _stored(folder: Path, name: str) -> list[Path]:
    """Return the files of a plan under a name, which may come from a stranger's cell."""
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts or not parts:
        return []
    path = folder / name
    paths = [path] if path.is_file() else sorted(path.rglob("*"))
    return [one for one in paths if one.is_file() and not one.is_symlink()]


def _is_among(name: str, outputs: Iterable[str]) -> bool:
    return any(name == one or Path(name).is_relative_to(one) for one in outputs)


def choose(
    layout: Layout | None, *, split: str, baseline_dir: Path | None, plan_dirs: Sequence[Path]
) -> list[BaselinePlan]:
    """Return the plans to work on: those named one by one, or all of a split.

    Raises:
        UsageError: there are none, or two have the same name.
    """
    if plan_dirs:
        paths = [resolved(path) for path in plan_dirs]
        absent = [str(path) for path in paths if not path.is_dir()]
        if absent:
            raise UsageError(f"No such plan directory: {', '.join(absent)}.{_meant(layout, paths)}")
    else:
        paths = _in_split(layout, split, baseline_dir)
    plans = [BaselinePlan(name=path.name, path=path) for path in paths]
    names = [plan.name for plan in plans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"Two plans are called {', '.join(twice)}; a run needs distinct names.")
    return plans


def _meant(layout: Layout | None, paths: Sequence[Path]) -> str:
    """Return where the data repo has plans of these names, as a hint."""
    if layout is None:
        return ""
    namesakes = [layout.split(split) / path.name for path in paths for split in SPLITS]
    return "".join(f" Did you mean {path}?" for path in namesakes if path.is_dir())


def _in_split(layout: Layout | None, split: str, baseline_dir: Path | None) -> list[Path]:
    if baseline_dir is not None:
        base = resolved(baseline_dir)
        folder = base / split if (base / split).is_dir() else base
    elif layout is not None:
        folder = layout.split(split)
    else:
        raise UsageError("Which plans? Add --prompt-lab-dir, --baseline-dir or --plan-dir.")
    if not folder.is_dir():
        raise UsageError(f"There is no directory {folder} of baseline plans.")
    plans = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if plans and {p.name for p in plans} <= set(SPLITS):
        raise UsageError(f"{folder} has no split {split!r}.")
    if not plans:
        zips = len(list(folder.glob("*.zip")))
        hint = (
            f"{counted(zips, 'zip')} there must be unzipped: `{typed('lab populate')} "
            f"{folder} --split {split}`."
            if zips
            else f"`{typed('lab populate SOURCE')}` fills a data repo."
        )
        raise UsageError(f"There are no plans in {folder}. {hint}")
    return plans


def inputs_of(plans: Sequence[BaselinePlan], step: StepFacts, host: Host) -> dict[str, PlanInputs]:
    """Return what `step` reads of each plan, by plan.

    Raises:
        UsageError: an artifact is missing or unreadable; all of them are named.
    """
    problems: list[str] = []
    outside = [n for n in step.inputs if Path(n).is_absolute() or ".." in Path(n).parts]
    if outside:
        problems.append(f"{step.name} reads outside the plan: {', '.join(outside)}")
    inputs = {plan.name: inputs_of_plan(plan, step, host, problems) for plan in plans}
    if problems:
        raise UsageError(
            f"The step {step.name} cannot run on these plans:\n  "
            + "\n  ".join(problems)
            + "\nUpstream steps are never run for you; use plans that have these artifacts."
        )
    return inputs


def inputs_of_plan(
    plan: BaselinePlan, step: StepFacts, host: Host, problems: list[str]
) -> PlanInputs:
    """Return what `step` reads of one plan; what is missing or unreadable joins `problems`."""
    names = {str(p.relative_to(plan.path)) for p in plan.path.rglob("*") if p.is_file()}
    files: dict[str, Path] = {}
    for artifact in step.inputs:
        try:
            name = host.name_among(artifact, names)
        except UsageError as error:
            problems.append(f"{plan.name}: {error}")
            continue
        if name is None:
            problems.append(f"{plan.name}: {artifact} is missing")
            continue
        fault = _fault_in(plan.path / name)
        if fault is not None:
            problems.append(f"{plan.name}: {name} {fault}")
        files[artifact] = plan.path / name
    digests = {name: file_digest(path) for name, path in files.items() if path.is_file()}
    return PlanInputs(plan=plan.name, files=files, digests=digests, folder=plan.path)


def _fault_in(path: Path, *, empty: bool = False) -> str | None:
    """Return why an artifact cannot be read, or None; some, such as marks, are `empty`."""
    try:
        data = read_bytes(path, most=MOST_RECORD)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if lfs.is_pointer(data):
        return lfs.PROBLEM
    if path.suffix not in {".json", ".txt", ".md"}:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start})"
    # Some artifacts named .json are plain text.
    if path.suffix == ".json" and text.lstrip().startswith(("{", "[")):
        try:
            json_of(text)
        except ValueError as error:
            return f"is not JSON: {error}"
    return "is empty" if not (empty or text.strip()) else None
