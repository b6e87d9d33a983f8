"""The members of a plan's team, and how a step adds facts about each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from model_gateway.call import Ask, Call, Reply
from model_gateway.material import json_block
from worker_plan.errors import StepError
from worker_plan.raw import metadata
from worker_plan.shapes import until_enough
from worker_plan.step import Detail

MOST_CALLS = 2
"""A second call asks only for members that the first one left out."""


class TeamMember(BaseModel):
    """One member. Fields that no step has set are None, and are not written."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: int
    category: str
    explanation: str = ""
    consequences: str = ""
    count: str = ""
    contract_type: str | None = None
    contract_type_justification: str | None = None
    typical_job_activities: str | None = None
    background_story: str | None = None
    equipment_needs: str | None = None
    facility_needs: str | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class MemberEntry(BaseModel):
    """What a model says about one member; a step adds its own fields."""

    id: int = Field(description="The id of the member.")

    def facts(self) -> dict[str, str]:
        """Return the values to add to a member, by field."""
        raise NotImplementedError


class MemberEntries(BaseModel):
    """What a model says about the members; a step narrows the type of the entries."""

    team_members: Sequence[MemberEntry]


R = TypeVar("R", bound=MemberEntries)


@dataclass(kw_only=True)
class Enrichment:
    """A team and the entries about its members; an entry that cannot be used is refused."""

    team: Sequence[TeamMember]
    entries: dict[int, MemberEntry] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    exchanges: list[tuple[Call[Any], Reply[Any]]] = field(default_factory=list)

    def add(self, call: Call[R], reply: Reply[R]) -> None:
        """Add the entries of `reply`; the first one about a member counts."""
        self.exchanges.append((call, reply))
        for entry in reply.value.team_members if reply.value is not None else ():
            reason = self._refusal(entry)
            if reason is None:
                self.entries[entry.id] = entry
            else:
                self.refused.append({"call": call.key, "id": entry.id, "reason": reason})

    def _refusal(self, entry: MemberEntry) -> str | None:
        if entry.id not in {member.id for member in self.team}:
            return "no such member"
        if entry.id in self.entries:
            return "member already described"
        if not any(text.strip() for text in entry.facts().values()):
            return "nothing is said"
        return None

    @property
    def missing(self) -> list[TeamMember]:
        """The members without a usable entry."""
        return [member for member in self.team if member.id not in self.entries]

    @property
    def members(self) -> list[TeamMember]:
        """All members in their sequence, the missing ones unchanged."""
        return [
            member.model_copy(update=self.entries[member.id].facts())
            if member.id in self.entries
            else member
            for member in self.team
        ]

    @property
    def raw(self) -> dict[str, Any]:
        """The content of the step's raw artifact."""
        entries = [self.entries[one.id] for one in self.team if one.id in self.entries]
        first, _ = self.exchanges[0]
        return {
            "team_members": [entry.model_dump(mode="json") for entry in entries],
            "refused": self.refused,
            "missing": [member.id for member in self.missing],
            "metadata": {call.key: metadata(reply) for call, reply in self.exchanges},
            "system_prompt": first.system,
            "user_prompt": first.user,
        }


def enrich(
    ask: Ask,
    team: Sequence[TeamMember],
    *,
    system: str,
    context: str,
    schema: type[R],
    detail: Detail,
) -> Enrichment:
    """Ask for an entry about every member of `team`, by `schema`.

    Raises:
        StepError: there is no usable entry about any member.
    """
    enrichment = Enrichment(team=team)
    calls: list[Call[R]] = []

    def next_call(number: int) -> Call[R]:
        call = Call(
            key=f"members_{number}",
            system=system,
            user=f"{context}\n\n{json_block('team_members', enrichment.missing)}",
            schema=schema,
            max_output_tokens=8000,
        )
        calls.append(call)
        return call

    def take(number: int, reply: Reply[R]) -> bool:
        enrichment.add(calls[number - 1], reply)
        return not enrichment.missing

    most = MOST_CALLS if detail is Detail.ALL_DETAILS_BUT_SLOW else 1
    until_enough(ask, next_call, take=take, most=most)
    if not enrichment.entries:
        failure = enrichment.exchanges[0][1].failure or "no entry could be used"
        raise StepError(f"none of {len(team)} members was described: {failure}")
    return enrichment
