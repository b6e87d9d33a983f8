"""What a benchmark's searches were run with, so that rows of other code do not count."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from rubrics import load
from self_improve.benchmark.experiments.landscapes import STEP
from self_improve.code import code_tree
from self_improve.errors import UsageError
from self_improve.host.contract import own_code
from self_improve.measures import store

_PARTS = (
    "model_gateway/providers/simulated", "prompt_lab/samples", "self_improve/benchmark/experiments",
    "self_improve/generators", "self_improve/prompts", "self_improve/search",
    f"worker_plan/steps/{STEP}.py",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The commit, whether code differs from it, the rubric with its version, and a digest.

    The digest covers all that a search's figures depend on: step, rubric, metrics, plans,
    generators, simulated models, and the code that connects them. A row of another digest does not
    count.
    """

    commit: str | None
    dirty: bool
    rubric: str
    digest: str

    def to_row(self) -> dict[str, Any]:
        """Return the facts as plain JSON values."""
        return asdict(self)


@cache
def current() -> Provenance:
    """Return the provenance of a search that runs now.

    Raises:
        UsageError: the step has no rubric.
    """
    rubric = load.find(STEP)
    if rubric is None:
        raise UsageError(f"There is no rubric for {STEP}.")
    total = hashlib.sha256(store.code_digest().encode())
    total.update(rubric.model_dump_json().encode())
    total.update(store.folders_digest(_PARTS).encode())
    # The benchmark's own page and rows are in the same repository.
    packages = sorted({part.partition("/")[0] for part in _PARTS} | {"rubrics"})
    root = own_code()
    tree = code_tree.read(root, ["self_improve"], paths=packages)
    return Provenance(
        commit=tree.commit, dirty=tree.dirty, rubric=f"{STEP}/{rubric.version}",
        digest=total.hexdigest(),
    )  # fmt: skip
