"""One version of a step's prompts, named by a digest: what production serves for a plan."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_gateway.attempt import digest_of
from model_gateway.foreign_files import expanded, read_json
from prompt_lab.layout import Layout
from prompt_lab.scores import Scores
from self_improve.errors import UsageError

_STEP = re.compile(r"[A-Za-z0-9_]+\Z")
_BASELINE = "BASELINE"
_BYTES = 8
_POSITIONS = 2.0 ** (8 * _BYTES)

Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{7,64})?$")]


@dataclass(frozen=True, kw_only=True)
class Version:
    """Texts by surface id, and the commit that contains them (no texts: those of the commit).

    `simulated` says that only simulated models have tested it.
    """

    texts: Mapping[str, str]
    commit: str
    pull_request: str = ""
    candidate: str = ""
    simulated: bool = False

    @property
    def digest(self) -> str:
        """The SHA-256 of the texts and the commit."""
        return digest_of(dict(self.texts), self.commit)

    @property
    def id(self) -> str:
        """The name of the version in votes and commands."""
        return self.digest[:12]

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"id": self.id, "digest": self.digest, **asdict(self)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Version:
        """Read a version from plain JSON values."""
        return cls(
            texts=dict(row["texts"]), commit=str(row["commit"]),
            pull_request=str(row["pull_request"]), candidate=str(row["candidate"]),
            simulated=bool(row["simulated"]),
        )  # fmt: skip


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: dict[str, str] = Field(default_factory=dict)
    commit: Commit = ""
    pull_request: str = ""
    candidate: str = ""
    simulated: bool = False


def gets_new(plan: str, step: str, salt: str, weight: float) -> bool:
    """Return whether a plan gets the new version at a weight from 0 to 100 percent.

    A plan has one fixed position, and all positions below the weight get the new version: a
    greater weight never takes it from a plan. At 0 no plan has it, at 100 every plan.
    """
    # Whole numbers: a position that a float would round up to the end stays below 100 %.
    return _position("version", plan, step, salt) * 100 < weight * _POSITIONS


def may_vote(plan: str, step: str, salt: str, share: float) -> bool:
    """Return whether a plan's readers are asked to vote; independent of the version it gets."""
    return _position("shown", plan, step, salt) < share * _POSITIONS


def _position(purpose: str, *names: str) -> int:
    """Return a whole number below 2 ** 64, spread evenly over names."""
    text = json.dumps([purpose, *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_BYTES], "big")


def checked_step(text: str) -> str:
    """Return a step's name, which becomes a directory's.

    Raises:
        UsageError: it is not a step's name.
    """
    if not _STEP.match(text):
        raise UsageError(f"{text!r} is not a step: a name has only letters, digits and _.")
    return text


def read(path: Path) -> Version:
    """Read a version from a JSON file with `texts`, `commit` and `pull_request`.

    Raises:
        UsageError: it cannot be read, or holds neither texts nor a commit.
    """
    try:
        file = _File.model_validate(read_json(expanded(path)))
    except (OSError, ValueError, ValidationError) as error:
        raise UsageError(
            f"{path} is not a version: {error}\nWrite JSON like "
            '{"texts": {"SURFACE ID": "TEXT"}, "commit": "HASH", "pull_request": "URL"}.'
        ) from error
    version = Version(**file.model_dump())
    if not version.texts and not version.commit:
        raise UsageError(f"{path} is not a version: it has neither texts nor a commit.")
    return version


def best_of(layout: Layout, step: str) -> Version:
    """Return the step's best candidate as a version.

    Raises:
        UsageError: no candidate of the step has ended with YES.
        LabError: its record cannot be read.
    """
    best = Scores(layout).best(step)
    if best is None:
        raise UsageError(
            f"{step} has no best candidate: {layout.best(step)} does not exist. Run "
            f"`python run_optimization_iteration.py --step {step} ...` until one ends with YES, or "
            "name a version with --new FILE."
        )
    return Version(
        texts=dict(best.texts), commit=best.commit, pull_request=best.pull_request,
        candidate=best.candidate, simulated=best.simulated,
    )  # fmt: skip


def baseline_of(layout: Layout, step: str) -> Version:
    """Return the code that the step's iterations began with, as a version.

    Raises:
        UsageError: the scoreboard has no baseline.
        LabError: the scoreboard cannot be read.
    """
    for row in Scores(layout).rows(step):
        if row.verdict == _BASELINE and row.commit:
            return Version(texts={}, commit=row.commit, candidate=row.candidate)
    raise UsageError(
        f"The scoreboard has no baseline of {step}. Name the version that production has now with "
        "--old FILE."
    )
