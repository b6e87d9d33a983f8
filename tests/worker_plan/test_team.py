"""Adding what a model knows of each member: by id, asked twice, gaps kept visible."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted
from worker_plan.errors import StepError
from worker_plan.reply_fields import whole_items
from worker_plan.step import Detail
from worker_plan.team import Enrichment, MemberEntries, MemberEntry, TeamMember, enrich

TEAM = [TeamMember(id=n, category=name) for n, name in enumerate(["Baker", "Skipper", "Cook"], 1)]


class Tools(MemberEntry):
    """What a member needs."""

    tools: str

    def facts(self) -> dict[str, str]:
        """Return it under the member's field."""
        return {"equipment_needs": self.tools}


class Toolbox(MemberEntries):
    """What all of them need."""

    team_members: Annotated[list[Tools], whole_items(Tools)] = Field(min_length=1)


def asked(call: Call[Any]) -> list[int]:
    """Return the ids of the members that a call shows."""
    shown = call.user.partition("<team_members>\n")[2].partition("\n</team_members>")[0]
    return [member["id"] for member in json.loads(shown)]


def said(*ids: int, tools: str = "An oven.") -> dict[str, Any]:
    """Return a reply about the members of these ids."""
    return {"team_members": [{"id": n, "tools": f"{tools}"} for n in ids]}


def run(
    answer: Callable[[Call[Any]], Any], detail: Detail = Detail.ALL_DETAILS_BUT_SLOW
) -> tuple[Enrichment, Scripted]:
    """Have the team described by a scripted model."""
    ask = Scripted(answer)
    enrichment = enrich(ask, TEAM, system="S", context="C", schema=Toolbox, detail=detail)
    return enrichment, ask


def test_entries_are_matched_by_id_whatever_their_order() -> None:
    """Members stay in their order; one call is enough if nobody is forgotten."""
    enrichment, ask = run(lambda _: said(3, 1, 2))
    assert [asked(call) for call in ask.calls] == [[1, 2, 3]]
    assert [(m.id, m.equipment_needs) for m in enrichment.members] == [
        (n, "An oven.") for n in (1, 2, 3)
    ]
    assert [entry["id"] for entry in enrichment.raw["team_members"]] == [1, 2, 3]


def test_forgotten_members_are_asked_for_once_more() -> None:
    """The second call shows just these, and has a key of its own."""
    enrichment, ask = run(lambda call: said(2) if call.key == "members_1" else said(1, 3))
    assert [(call.key, asked(call)) for call in ask.calls] == [
        ("members_1", [1, 2, 3]),
        ("members_2", [1, 3]),
    ]
    assert enrichment.missing == []


def test_member_forgotten_twice_keeps_what_was_known() -> None:
    """It is recorded as missing, and its field is not even written."""
    enrichment, ask = run(lambda _: said(2))
    assert len(ask.calls) == 2
    assert enrichment.raw["missing"] == [1, 3]
    written = TypeAdapter(list[TeamMember]).dump_python(enrichment.members, mode="json")
    assert written[0] == {
        "id": 1, "category": "Baker", "explanation": "", "consequences": "", "count": ""
    }  # fmt: skip
    assert written[1]["equipment_needs"] == "An oven."


def test_unusable_entries_are_refused_with_a_reason() -> None:
    """Unknown ids, second entries and empty ones change nothing."""
    reply = said(1, 2, 3, 99) | {}
    reply["team_members"] += [{"id": 1, "tools": "Another."}]
    enrichment, _ = run(lambda _: reply)
    assert [(one["id"], one["reason"]) for one in enrichment.refused] == [
        (99, "no such member"),
        (1, "member already described"),
    ]
    assert enrichment.members[0].equipment_needs == "An oven."
    empty, _ = run(lambda call: said(1, 2, 3, tools=" " if call.key == "members_1" else "A peel."))
    assert {one["reason"] for one in empty.refused} == {"nothing is said"}
    assert empty.members[2].equipment_needs == "A peel."


def test_failed_call_is_recorded_beside_what_the_other_gave() -> None:
    """One of two calls may fail."""
    enrichment, _ = run(lambda call: FAILED if call.key == "members_1" else said(1, 2, 3))
    assert enrichment.missing == []
    assert enrichment.raw["metadata"]["members_1"]["failure"] == "server: the model is down"
    assert "failure" not in enrichment.raw["metadata"]["members_2"]


@pytest.mark.parametrize("detail", [Detail.FAST_BUT_SKIP_DETAILS, Detail.PING_LLM])
def test_less_detail_asks_once(detail: Detail) -> None:
    """Forgotten members stay as they are."""
    enrichment, ask = run(lambda _: said(1), detail)
    assert len(ask.calls) == 1
    assert [member.id for member in enrichment.missing] == [2, 3]


def test_nothing_usable_is_a_failure() -> None:
    """The message names the first failure, or that no entry could be used."""
    with pytest.raises(StepError, match="none of 3 members was described: server"):
        run(lambda _: FAILED)
    with pytest.raises(StepError, match="no entry could be used"):
        run(lambda _: said(98, 99))


def test_members_of_other_pipelines_can_be_read() -> None:
    """A count may be a number, and unknown keys are passed over."""
    member = TeamMember.model_validate({"id": "4", "category": "Baker", "count": 2, "mood": "good"})
    assert (member.id, member.count, member.contract_type) == (4, "2", None)
