"""The file `dataset.json`: which plans are in which split, their sources and digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from model_gateway.foreign_files import read_bytes
from model_gateway.invocation import typed
from prompt_lab import atomic
from prompt_lab.errors import LabError
from prompt_lab.layout import SPLITS, Layout

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_NAME = 200


def name_problem(name: str) -> str | None:
    """Return why a plan cannot have this name, or None if it can."""
    if not _NAME.fullmatch(name):
        return (
            f"{name!r} cannot be the name of a plan: it takes letters, digits, '.', '_' and '-' "
            "and starts with a letter or digit"
        )
    if name.lower().endswith(".zip"):
        return f"{name!r} cannot be the name of a plan: that is what its zip would be called"
    if len(name) > _LONGEST_NAME:
        return f"{name!r} cannot be the name of a plan: it has more than {_LONGEST_NAME} characters"
    return None


class Plan(BaseModel):
    """One baseline plan. Without a digest it is listed, but was never added."""

    # Keys of other programs or later versions are kept when the file is rewritten.
    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    files: int | None = Field(default=None, ge=1)
    url: str | None = None
    etag: str | None = None

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if problem := name_problem(self.name):
            raise ValueError(problem)
        return self

    @model_serializer(mode="wrap")
    def _omit_unknown(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            key: value
            for key, value in dump(self).items()
            if value is not None or key not in type(self).model_fields
        }


def _as_row(plan: Any) -> Any:
    return {"name": plan} if isinstance(plan, str) else plan


def _no_plans() -> dict[str, tuple[Plan, ...]]:
    return dict.fromkeys(SPLITS, ())


class Dataset(BaseModel):
    """The whole file. In the lists of a split a plan may be written as its bare name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: Literal[1] = 1
    source: str | None = None
    source_has_splits: bool = False
    splits: dict[str, tuple[Annotated[Plan, BeforeValidator(_as_row)], ...]] = Field(
        default_factory=_no_plans
    )

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        problems = [
            f"there is no split {split!r}, only {' and '.join(SPLITS)}"
            for split in self.splits
            if split not in SPLITS
        ]
        paths: dict[str, str] = {}
        for split, plan in self.rows():
            path = f"{split}/{plan.name}"
            other = paths.setdefault(plan.name.casefold(), path)
            if other is not path:
                problems.append(f"{other} and {path} have the same name; a plan has one split")
        if self.source and urlsplit(self.source).username is not None:
            problems.append("source holds a user name or password, which would be committed")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def rows(self) -> Iterator[tuple[str, Plan]]:
        """Yield every plan with its split, train first."""
        for split in sorted(self.splits):
            for plan in self.splits[split]:
                yield split, plan

    def find(self, name: str) -> tuple[str, Plan] | None:
        """Return the plan of this name and its split; names that differ in case are the same."""
        for split, plan in self.rows():
            if plan.name.casefold() == name.casefold():
                return split, plan
        return None

    def with_plan(self, split: str, plan: Plan) -> Dataset:
        """Return the dataset with this plan added; it replaces one of the same name."""
        plans = {p.name: p for p in self.splits.get(split, ())}
        plans[plan.name] = plan
        changed = {**_no_plans(), **self.splits, split: tuple(plans.values())}
        return self.model_copy(update={"splits": changed})


def load(layout: Layout) -> Dataset:
    """Read the dataset of a data repo.

    Raises:
        LabError: it cannot be read or has the wrong shape; the message lists every problem.
    """
    path = layout.dataset
    try:
        return Dataset.model_validate_json(read_bytes(path))
    except OSError as error:
        raise LabError(
            f"{path} cannot be read: {error.strerror}. "
            f"Add what a data repo lacks: {typed('lab init')} {layout.root}"
        ) from error
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, e['loc'])) or 'the file'}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise LabError(
            f"{path} cannot be used:\n{problems}\n"
            f"Correct it, or restore the last version: git -C {layout.root} checkout dataset.json"
        ) from error


def dumps(dataset: Dataset) -> bytes:
    """Return the dataset as the bytes of its file."""
    return (dataset.model_dump_json(indent=2) + "\n").encode()


def save(layout: Layout, dataset: Dataset) -> None:
    """Write the dataset atomically. Call it while holding the lock of `populate`.

    Raises:
        OSError: the data repo cannot be written.
    """
    atomic.write(layout.dataset, dumps(dataset))
