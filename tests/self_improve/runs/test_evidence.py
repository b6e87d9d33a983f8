"""What was really sent, and whether a run counts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from model_gateway.attempt import Attempt
from self_improve.code.code_tree import CodeTree
from self_improve.host.candidate import Candidate
from self_improve.host.surfaces import Description, digest
from self_improve.runs import evidence
from self_improve.runs.specification import RunSpecification
from tests.model_gateway.rows import an_attempt
from tests.self_improve import hosts
from tests.self_improve.hosts import FIELD, FOLLOW_UP, OTHER, SYSTEM, TEXTS, surface


class Finding(BaseModel):
    """What the step `find` asks for."""

    name: str = Field(description=TEXTS[FIELD])


class Renamed(BaseModel):
    """The same under a candidate."""

    name: str = Field(description="A long name for it.", title="Name")


# The step calls it so.
Finding.__name__ = Renamed.__name__ = "Found"
UNKNOWN = "A text that is nowhere in the code."


def attempt(
    *messages: tuple[str, str], schema: type[BaseModel] | None = Finding, **more: Any
) -> Attempt:
    """Return an attempt that sent these messages, given as role and text."""
    sent = [{"role": role, "content": content} for role, content in messages]
    shape = schema.model_json_schema() if schema is not None else None
    if shape is not None:
        shape["title"] = "Found"
    return an_attempt(messages=sent, schema=shape, **more)


USUAL = (
    attempt(("system", TEXTS[SYSTEM]), ("user", "A boat.")),
    attempt(("system", TEXTS[SYSTEM]), ("user", "A boat.\nGive others than Oven, please.")),
)


def content(specification: RunSpecification, *attempts: Attempt) -> dict[str, Any]:
    """Return the content of `surfaces.json`."""
    return evidence.surfaces_as_sent(specification, evidence.sent_by(attempts))


def sent(specification: RunSpecification, *attempts: Attempt) -> dict[str, bool]:
    """Return which surfaces are listed, and whether they were sent."""
    return {row["id"]: row["sent"] for row in content(specification, *attempts)["surfaces"]}


def test_each_text_counts_once() -> None:
    """Messages go with their roles, descriptions with their models and fields."""
    result = evidence.sent_by([*USUAL, *USUAL])
    assert result.messages == {
        TEXTS[SYSTEM]: "system",
        "A boat.": "user",
        "A boat.\nGive others than Oven, please.": "user",
    }
    assert (
        result.descriptions
        == {
            Description("Found", "name", TEXTS[FIELD]),
            Description(None, None, "What the step `find` asks for."),
        }
        or Description("Found", "name", TEXTS[FIELD]) in result.descriptions
    )


def test_what_the_gateway_adds_after_a_failure_does_not_count() -> None:
    """Its feedback is not a surface of the host's."""
    again = attempt(
        ("system", TEXTS[SYSTEM]), ("user", "A boat."), ("assistant", "{"), ("user", "Again!"),
        number=2,
    )  # fmt: skip
    assert "Again!" not in evidence.sent_by([*USUAL, again]).messages


def test_conversation_of_the_hosts_own_counts() -> None:
    """A host may send earlier turns with its first attempt."""
    turn = attempt(
        ("system", TEXTS[SYSTEM]), ("user", "A boat."), ("assistant", "{}"),
        ("user", "Give others than Oven, please."),
    )  # fmt: skip
    assert sent(hosts.specification(), turn)[FOLLOW_UP] is True


def test_nothing_sent_is_nothing_found() -> None:
    """The step's own surfaces are listed as not sent."""
    assert sent(hosts.specification()) == {SYSTEM: False, FOLLOW_UP: False, FIELD: False}


def test_own_surfaces_are_listed_whether_sent_or_not() -> None:
    """Others only if they were sent."""
    assert sent(hosts.specification(), *USUAL) == {SYSTEM: True, FOLLOW_UP: True, FIELD: True}
    assert sent(hosts.specification(), USUAL[0]) == {SYSTEM: True, FOLLOW_UP: False, FIELD: True}
    other = attempt(("system", TEXTS[OTHER]), ("user", "A boat."))
    assert sent(hosts.specification(), *USUAL, other)[OTHER] is True


def test_listed_surface_holds_its_text_and_digest() -> None:
    """The text is the one that was sent."""
    rows = {row["id"]: row for row in content(hosts.specification(), *USUAL)["surfaces"]}
    assert rows[SYSTEM]["text"] == TEXTS[SYSTEM]
    assert rows[SYSTEM]["digest"] == digest(TEXTS[SYSTEM])
    assert rows[SYSTEM]["candidate"] is False
    assert list(rows) == sorted(rows)


def test_description_in_a_prompt_counts() -> None:
    """A library may write the schema into the message."""
    schema = str(Finding.model_json_schema()).replace("'", '"')
    written = attempt(("system", TEXTS[SYSTEM]), ("user", f"Fill in: {schema}"), schema=None)
    assert sent(hosts.specification(), written)[FIELD] is True


def test_unmatched_texts_are_reported() -> None:
    """Descriptions by their text, system messages by their digest; the user's are plan texts."""

    class Odd(BaseModel):
        odd: str = Field(description=UNKNOWN)

    unknown = attempt(("system", UNKNOWN), ("user", "A plan."), schema=Odd)
    assert content(hosts.specification(), *USUAL, unknown)["unmatched"] == {
        "descriptions": [UNKNOWN, Finding.__doc__],
        "system_messages": [digest(UNKNOWN)],
    }


def test_description_of_two_models_alike_is_the_steps_own() -> None:
    """Of two surfaces that could be meant, the one that the step reaches was sent."""
    twin = surface("aaa:Found.name", TEXTS[FIELD])
    specification = hosts.specification(pipeline=hosts.pipeline(twin))
    assert twin.id not in sent(specification, *USUAL)
    assert sent(specification, *USUAL)[FIELD] is True


def changed(texts: dict[str, str], **more: Any) -> RunSpecification:
    """Return the specification of a candidate's run."""
    return hosts.specification(candidate=Candidate(texts=texts), **more)


def test_candidates_text_is_what_counts() -> None:
    """The new text was sent, and the old one was not."""
    new = attempt(("system", "You look for decisions."), ("user", "A boat."))
    result = content(changed({SYSTEM: "You look for decisions."}), new)
    [row] = [row for row in result["surfaces"] if row["candidate"]]
    assert (row["id"], row["sent"], row["original_sent"]) == (SYSTEM, True, False)
    assert row["text"] == "You look for decisions."


def test_candidates_text_that_was_not_sent_is_listed() -> None:
    """Whether the step was thought to reach it or not."""
    for surface_id in (SYSTEM, OTHER):
        result = content(changed({surface_id: UNKNOWN}), *USUAL)
        [row] = [row for row in result["surfaces"] if row["candidate"]]
        assert (row["id"], row["sent"]) == (surface_id, False)


def test_old_text_beside_the_new_one_is_noticed() -> None:
    """A copy that was not changed makes the comparison void."""
    both = attempt(("system", "You look for decisions."), ("user", TEXTS[SYSTEM]))
    result = content(changed({SYSTEM: "You look for decisions."}), both)
    [row] = [row for row in result["surfaces"] if row["candidate"]]
    assert row["original_sent"] is True


def test_candidate_that_only_adds_is_distinguished_from_its_original() -> None:
    """The new text contains the old one, which does not show an unchanged copy."""
    longer = TEXTS[SYSTEM] + " Be brief."
    new = attempt(("system", longer), ("user", "A boat."))
    [row] = [row for row in content(changed({SYSTEM: longer}), new)["surfaces"] if row["candidate"]]
    assert (row["sent"], row["original_sent"]) == (True, False)


def test_candidates_description_is_recognized() -> None:
    """By the field, with the new text."""
    specification = changed({FIELD: "A long name for it."})
    new = attempt(("system", TEXTS[SYSTEM]), ("user", "A boat."), schema=Renamed)
    assert sent(specification, new)[FIELD] is True
    assert sent(specification, *USUAL)[FIELD] is False


GOOD_ROWS = [{"sources": ["network"], "fallback": False}, {"sources": [], "error": "timeout"}]


def classified(
    specification: RunSpecification | None = None,
    rows: list[dict[str, Any]] | None = None,
    attempts: tuple[Attempt, ...] = USUAL,
) -> tuple[str, list[str]]:
    """Return the kind of a run and the reasons."""
    chosen = specification or hosts.specification()
    result = evidence.classify(chosen, rows or GOOD_ROWS, content(chosen, *attempts))
    return result["kind"], result["reasons"]


def test_run_without_a_fault_is_real() -> None:
    """Failed cells are part of it."""
    assert classified() == ("real", [])


def code(**changes: Any) -> dict[str, CodeTree]:
    """Return a change of the code."""
    return {"code": hosts.code(**changes)}


@pytest.mark.parametrize(
    ("specification", "rows", "reason"),
    [
        (hosts.specification(**code(commit=None)), None, "not in a git repository"),
        (hosts.specification(**code(dirty=True)), None, "the code has uncommitted changes"),
        (changed({SYSTEM: UNKNOWN}), None, f"the candidate's text was never sent: {SYSTEM}"),
        (changed({OTHER: UNKNOWN}), None, f"the candidate's text was never sent: {OTHER}"),
        (None, [{"sources": ["network", "cache"]}], "replies came from cache"),
        (None, [{"sources": ["recorded"]}], "replies came from recorded"),
        (None, [{"sources": ["journal"]}], "replies came from journal"),
        (None, [{"sources": ["network"], "fallback": True}], "a fallback model answered"),
    ],
)
def test_every_fault_is_a_reason(
    specification: RunSpecification | None, rows: list[dict[str, Any]] | None, reason: str
) -> None:
    """One fault is enough to be no real evidence, and it is named."""
    kind, reasons = classified(specification, rows)
    assert kind == "historical"
    assert any(reason in one for one in reasons)


def test_all_reasons_are_named() -> None:
    """They do not hide each other; a simulated run stays simulated."""
    texts = {SYSTEM: "You look for decisions.", OTHER: UNKNOWN}
    both = attempt(("system", "You look for decisions."), ("user", TEXTS[SYSTEM]))
    rows = [{"sources": ["cache", "recorded"], "fallback": True}]
    specification = changed(texts, **code(dirty=True))
    kind, reasons = classified(specification, rows, (both,))
    assert kind == "historical"
    assert len(reasons) == 5
    simulated = changed(texts, **code(dirty=True), models=(hosts.model(provider="simulated"),))
    assert classified(simulated, rows, (both,)) == ("simulated", reasons)


def test_simulated_run_without_a_fault_is_simulated() -> None:
    """It is never real, and there is nothing wrong with it."""
    specification = hosts.specification(models=(hosts.model(provider="simulated"),))
    assert classified(specification, [{"sources": ["simulated"]}]) == ("simulated", [])
