"""A search without models: a landscape that scores texts by a rule, and a proposer by script."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from model_gateway import entry_files
from model_gateway.call import Call, Failure, FailureKind, R, Reply
from model_gateway.config import Model
from self_improve.search.search import Cell, Search, SearchRequest
from self_improve.search.trial import Case, CellOutcome, Flaw

SURFACE, OTHER = "steps.moor:MOOR_SYSTEM_PROMPT", "steps.moor:Reply.name"
START = "Name the moorings.\n\nGive a reason for each.\n"
PLAN = (
    "The harbour at Brindle Quay lends nine berths to travelling bakers "
    "from early spring until frost."
)
CASES = tuple(
    Case(plan=p, model=m) for p in ("boat", "moor", "radio", "lock") for m in ("m1", "m2")
)

PROPOSER = entry_files.load().find("sim-proposer")


class Proposer:
    """Plays the counsel: `answer` is given the role and the call, and returns JSON or a failure.

    `log` keeps what was asked.
    """

    def __init__(self, answer: Callable[[str, Call[Any]], Any]) -> None:
        self._answer = answer
        self.log: list[tuple[str, Call[Any]]] = []

    async def ask(self, role: str, model: Model, call: Call[R], *, repeat: int = 0) -> Reply[R]:
        """Answer a call; JSON that does not fit the schema is a failure of the model."""
        self.log.append((role, call))
        said = self._answer(role, call)
        if not isinstance(said, Failure):
            try:
                value = call.schema.model_validate(said)
                return Reply(value=value, text=json.dumps(said), model=model.name)
            except ValueError as error:
                said = Failure(kind=FailureKind.schema, message=str(error))
        return Reply(value=None, text="", model=model.name, failure=said)


class Landscape:
    """Scores a cell by a rule of its text; `cells` keeps what was run."""

    def __init__(self, rule: Callable[[str, Case], float | None]) -> None:
        self._rule = rule
        self.cells: list[tuple[str, Case]] = []

    async def __call__(self, cells: Sequence[Cell]) -> list[CellOutcome]:
        """Score cells."""
        self.cells += [(p.texts[SURFACE], c) for p, c in cells]
        return [self._outcome(" ".join(p.texts.values()), c) for p, c in cells]

    def _outcome(self, text: str, case: Case) -> CellOutcome:
        score = self._rule(text, case)
        flaws = (Flaw(metric="near_duplicates", field="reason", quote="It is by the water."),)
        return CellOutcome(
            case=case, score=score, failure=None if score is not None else "timeout: late",
            flaws=flaws if score is not None and score < 1 else (), plan=PLAN,
            output=None if score is None else written(text),
        )  # fmt: skip


def written(text: str) -> list[dict[str, str]]:
    """Return what the step writes by a text: a judge can see how often that says `once`."""
    reason = f"It is by the water.{' Seen once more from the quay.' * text.count('once')}"
    return [{"name": "Quay", "reason": reason}]


def by_marks(text: str, case: Case) -> float:
    """Reward each sentence that says `once`, up to five: something every algorithm can climb."""
    return min(1.0, 0.2 + 0.16 * text.count("once"))


def filled(call: Call[Any], text: str, surface: str = SURFACE) -> dict[str, Any]:
    """Return a reply of any schema that says `text` wherever a text is wanted."""
    fields = call.schema.model_fields
    said: dict[str, Any] = {name: text for name in fields if name not in {"variants", "surface"}}
    if "winner" in fields:
        said["winner"] = "tie"
    if "variants" in fields:
        said["variants"] = [{"surface": surface, "text": f"{text}"}]
    return said | {"surface": surface}


def shown(call: Call[Any]) -> list[tuple[str, str]]:
    """Return the prompts that a call shows, with their ids."""
    return re.findall(r'<prompt id="([^"]*)">\n(.*?)\n</prompt>', call.user, re.DOTALL)


def helpful(role: str, call: Call[Any]) -> dict[str, Any]:
    """Play a proposer that says `once` once more, and a judge that likes to read it."""
    prompts = shown(call) or [(SURFACE, "Name the moorings.")]
    surface, text = prompts[zlib.crc32(call.key.encode()) % len(prompts)]
    said = filled(call, f"{text}\nSay it once, as for {call.key}.", surface)
    if "variants" in said:
        said["variants"] = [
            {"surface": surface, "text": f"{text}\nSay it once, as for {call.key}, {n}."}
            for n in range(4)
        ]
    if "winner" in said:
        counts = [side.split("</")[0].count("once") for side in re.split("<[ab]>", call.user)[1:]]
        said["winner"] = "a" if counts[0] > counts[1] else "b" if counts[1] > counts[0] else "tie"
    return said


def setting(**changes: Any) -> SearchRequest:
    """Return the setting of a search with a budget of 400 cells."""
    request = SearchRequest(
        step="moor", texts={SURFACE: START, OTHER: "A short phrase."}, searched=(SURFACE,),
        cases=CASES, cells=400, seed=3, proposer=PROPOSER,
        instructions="Goal: good moorings.", constraints=("Never more than nine.",),
        material=(PLAN,),
    )  # fmt: skip
    return replace(request, **changes)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Return the list into which a search logs."""
    return []


@pytest.fixture
def search(rows: list[dict[str, Any]]) -> Callable[..., Search]:
    """Return what makes a search over a landscape with a scripted proposer."""

    def make(
        answer: Callable[[str, Call[Any]], Any],
        rule: Callable[[str, Case], float | None] = by_marks,
        **changes: Any,
    ) -> Search:
        return Search(
            request=setting(**changes), measure=Landscape(rule), counsel=Proposer(answer),
            log=rows.append,
        )  # fmt: skip

    return make
