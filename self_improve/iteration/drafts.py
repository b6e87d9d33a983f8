"""A candidate before it has a branch: texts or code, and why it should be better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from self_improve.errors import UsageError
from self_improve.host.candidate import Candidate


class NothingProposed(UsageError):  # noqa: N818 - an outcome, which ends an iteration
    """There is no candidate; the message says why."""


Origin = Literal["human", "generator", "synthesis"]
_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One proposed change.

    It is texts by surface id, or code: a `branch` or a `pull_request`. `parent` is the candidate
    that it was derived from. `expectations` are written as on the command line. `commit` is the
    tip of the branch when the iteration began, which is measured wherever the branch moves.
    `pattern` is the id of the pattern that it follows, if one was offered.
    """

    id: str
    step: str
    origin: Origin
    texts: Mapping[str, str] = field(default_factory=dict)
    branch: str | None = None
    pull_request: int | None = None
    commit: str | None = None
    parent: str | None = None
    rationale: str = ""
    change: str = ""
    expectations: tuple[str, ...] = ()
    pattern: str | None = None

    @property
    def is_code(self) -> bool:
        """Whether it is a branch rather than texts."""
        return not self.texts

    @property
    def title(self) -> str:
        """The title of its pull request: the step, and the change in a few words."""
        change = " ".join((self.change or self.rationale or self.id).split())
        return f"{self.step}: {change[:80]}"

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Draft:
        """Read a draft from plain JSON values."""
        return cls(**{**row, "expectations": tuple(row["expectations"])})


def of_texts(
    step: str,
    texts: Mapping[str, str],
    *,
    origin: Origin,
    rationale: str = "",
    change: str = "",
    expectations: Sequence[str] = (),
    parent: str | None = None,
    pattern: str | None = None,
) -> Draft:
    """Return the draft of some texts; the same texts have the same id."""
    digest = Candidate(texts=texts).digest[:10]
    names = "-".join(surface.partition(":")[2].lower() for surface in sorted(texts))
    stem = _WORD.sub("-", f"{step}-{names}".casefold())[:40].strip("-")
    return Draft(
        id=f"{stem}-{digest}", step=step, origin=origin, texts=dict(texts), parent=parent,
        rationale=rationale, change=change, expectations=tuple(expectations), pattern=pattern,
    )  # fmt: skip
