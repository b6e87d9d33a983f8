"""The step that is optimized first: calls until there is enough, and a check of each lever."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out, shared
from worker_plan.errors import StepError
from worker_plan.step import Detail
from worker_plan.steps import identify_potential_levers
from worker_plan.steps.identify_potential_levers import (
    LEVERS_FOLLOW_UP_PROMPT,
    LEVERS_SYSTEM_PROMPT,
    IdentifyPotentialLevers,
    ProposedLever,
    ProposedLevers,
    UsableLevers,
)
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType

TOPICS = (
    "Oven", "Moorings", "Flour", "Crew", "Locks", "Prices", "Winter", "Permits", "Engine", "Menu",
    "Credit", "Cold room", "Insurance", "Opening hours", "Village halls", "Recipes", "Stove fuel",
    "Apprentices", "Water", "Waste",
)  # fmt: skip


def lever(name: str, **changes: Any) -> dict[str, Any]:
    """Return a lever as a model proposes it."""
    return {
        "lever_index": 1,
        "name": name,
        "consequences": f"Deciding about {name} changes what can be sold.",
        "options": [f"Buy for {name}.", f"Rent for {name}.", f"Do without {name}."],
        "review_lever": f"Nobody asked who pays for {name}.",
        **changes,
    }


def said(levers: Sequence[Any]) -> dict[str, Any]:
    """Return a reply with these levers."""
    return {"strategic_rationale": "Why.", "levers": list(levers), "summary": "What is missing."}


def number_of(call: Call[Any]) -> int:
    """Return the number of a call from its key."""
    return int(call.key.removeprefix("levers_"))


def five_each(call: Call[Any]) -> dict[str, Any]:
    """Answer with five levers that no other reply has."""
    first = (number_of(call) - 1) * 5
    return said([lever(topic) for topic in TOPICS[first : first + 5]])


@pytest.fixture
def step(run_dir: Path) -> IdentifyPotentialLevers:
    """Return the step on a plan with what it reads."""
    IdentifyPurpose.markdown.save(run_dir, "A business.")
    PlanType.markdown.save(run_dir, "Physical.")
    return IdentifyPotentialLevers(run_dir=str(run_dir))


def outcome(step: IdentifyPotentialLevers, ask: Scripted) -> tuple[dict[str, Any], list[str]]:
    """Run the step; return the raw artifact and the names in the cleaned one."""
    written = carry_out(step, ask)
    assert list(written) == [step.raw.name, step.levers.name]
    return written[step.raw.name], [one.name for one in written[step.levers.name]]


def test_calls_are_made_until_about_fifteen(step: IdentifyPotentialLevers) -> None:
    """Three replies of five are enough, and nothing more is asked."""
    ask = Scripted(five_each)
    raw, names = outcome(step, ask)
    assert [call.key for call in ask.calls] == ["levers_1", "levers_2", "levers_3"]
    assert names == list(TOPICS[:15])
    assert [len(reply["levers"]) for reply in raw["responses"]] == [5, 5, 5]
    assert [one["name"] for one in raw["levers"]] == names


def test_long_reply_is_kept_whole(step: IdentifyPotentialLevers) -> None:
    """There is no cap: twelve levers in one reply are twelve levers."""
    ask = Scripted(lambda call: said([lever(t) for t in TOPICS[(number_of(call) - 1) * 12 :][:12]]))
    raw, names = outcome(step, ask)
    assert len(ask.calls) == 2
    assert [len(reply["levers"]) for reply in raw["responses"]] == [12, 8]
    assert names == list(TOPICS)


def test_prompt_asks_for_five_to_seven() -> None:
    """The number is asked for in the prompts and in the description, and only five are required."""
    schema = ProposedLevers.model_json_schema()["properties"]["levers"]
    assert "5 to 7" in LEVERS_SYSTEM_PROMPT
    assert "5 to 7" in LEVERS_FOLLOW_UP_PROMPT
    assert "5 to 7" in schema["description"]
    assert schema["minItems"] == 5
    assert "maxItems" not in schema


@pytest.mark.parametrize("levers", [[], [lever(t) for t in TOPICS[:4]]])
def test_reply_with_too_few_is_no_reply(levers: list[Any]) -> None:
    """Fewer than five levers are a reason for the gateway to ask again."""
    ask = Scripted(lambda _: said(levers))
    reply = ask(Call(key="levers_1", system="", user="", schema=ProposedLevers))
    assert reply.value is None


def test_every_call_is_a_fresh_context(step: IdentifyPotentialLevers) -> None:
    """Each call holds the system prompt and the plan, and nothing of earlier replies but names."""
    ask = Scripted(five_each)
    outcome(step, ask)
    first = ask.calls[0].user
    for call in ask.calls:
        assert call.system == LEVERS_SYSTEM_PROMPT
        assert call.user.startswith(first)
        assert "changes what can be sold" not in call.user
        assert "Why." not in call.user


def test_first_call_shows_just_the_material(step: IdentifyPotentialLevers) -> None:
    """There is no follow-up prompt and no list before anything was found."""
    ask = Scripted(five_each)
    outcome(step, ask)
    first = ask.calls[0].user
    assert re.findall(r"^<(\w+)>$", first, re.MULTILINE) == ["plan", "purpose", "plan_type"]
    assert LEVERS_FOLLOW_UP_PROMPT not in first


def test_follow_ups_name_what_was_found(step: IdentifyPotentialLevers) -> None:
    """All names found so far stand in a block of their own, before the follow-up prompt."""
    ask = Scripted(five_each)
    outcome(step, ask)
    for number, call in enumerate(ask.calls[1:], start=1):
        block = call.user.partition("<found>\n")[2].partition("\n</found>")
        assert json.loads(block[0]) == list(TOPICS[: number * 5])
        assert block[2].strip() == LEVERS_FOLLOW_UP_PROMPT.strip()


def test_follow_ups_repeat_the_guidance() -> None:
    """The standard of quality is repeated, since each context is fresh."""
    for word in ("exactly 3 `options`", "`name`", "`review_lever`", "language of the plan"):
        assert word in " ".join(LEVERS_FOLLOW_UP_PROMPT.split())


def test_failed_call_costs_only_itself(step: IdentifyPotentialLevers) -> None:
    """The next call is made all the same; what came is kept, and the failure is marked."""
    ask = Scripted(lambda call: FAILED if number_of(call) == 2 else five_each(call))
    raw, names = outcome(step, ask)
    assert len(ask.calls) == 4
    assert len(names) == 15
    assert len(raw["responses"]) == 3
    marked = {key: facts.get("failure") for key, facts in raw["metadata"].items()}
    assert marked == {
        "metadata_1": None,
        "metadata_2": "server: the model is down",
        "metadata_3": None,
        "metadata_4": None,
    }


def test_first_call_that_fails_is_followed_by_another(step: IdentifyPotentialLevers) -> None:
    """With nothing found the next call asks as the first one did."""
    ask = Scripted(lambda call: FAILED if number_of(call) == 1 else five_each(call))
    outcome(step, ask)
    assert ask.calls[1].user == ask.calls[0].user
    assert "<found>" in ask.calls[2].user


def test_recovered_reply_is_marked(step: IdentifyPotentialLevers) -> None:
    """What was whole in a reply that broke off is used, and marked as partial."""
    whole = json.dumps(said([lever(topic) for topic in TOPICS[:7]]))
    broken = whole[: whole.index('"name": "Winter"') + 20]
    ask = Scripted(lambda call: broken if number_of(call) == 1 else five_each(call))
    raw, names = outcome(step, ask)
    assert raw["metadata"]["metadata_1"]["partial"] is True
    assert names[:6] == list(TOPICS[:6])


def test_few_calls_are_made_in_vain(step: IdentifyPotentialLevers) -> None:
    """A model that repeats itself is asked five times, no more."""
    ask = Scripted(lambda _: said([lever(topic) for topic in TOPICS[:5]]))
    raw, names = outcome(step, ask)
    assert len(ask.calls) == 5
    assert names == list(TOPICS[:5])
    assert len(raw["refused"]) == 20


def test_step_without_any_lever_fails(step: IdentifyPotentialLevers) -> None:
    """The last failure is reported, and nothing is written."""
    with pytest.raises(StepError, match="no usable lever in 5 replies: server: the model is down"):
        carry_out(step, Scripted(lambda _: FAILED))
    assert not (Path(step.run_dir) / step.raw.name).exists()


@pytest.mark.parametrize("detail", [Detail.FAST_BUT_SKIP_DETAILS, Detail.PING_LLM])
def test_less_detail_is_one_call(run_dir: Path, detail: Detail) -> None:
    """Whatever the first reply holds is enough then."""
    IdentifyPurpose.markdown.save(run_dir, "A business.")
    PlanType.markdown.save(run_dir, "Physical.")
    ask = Scripted(five_each)
    _, names = outcome(IdentifyPotentialLevers(run_dir=str(run_dir), detail=detail), ask)
    assert len(ask.calls) == 1
    assert len(names) == 5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": ["Buy.", "Rent."]}, "fewer than three options"),
        ({"options": []}, "fewer than three options"),
        ({"options": ["Buy.", "Rent.", "  "]}, "fewer than three options"),
        ({"name": "[name of the lever]"}, "placeholder in square brackets"),
        ({"consequences": "Costs rise by [percentage]."}, "placeholder in square brackets"),
        ({"options": ["Buy [item].", "Rent.", "Wait."]}, "placeholder in square brackets"),
        ({"review_lever": "It forgets [party]."}, "placeholder in square brackets"),
        ({"name": "  "}, "no name"),
        ({"name": "—!?"}, "no name"),
        ({"name": "OVEN"}, "name already there"),
    ],
)
def test_unusable_lever_is_refused_by_itself(
    step: IdentifyPotentialLevers, changes: dict[str, Any], reason: str
) -> None:
    """The others of its reply stay; the reason is recorded with the call and the name."""
    bad = lever("Crumbs") | changes

    def answer(call: Call[Any]) -> Any:
        reply = five_each(call)
        if number_of(call) == 1:
            reply["levers"].insert(2, bad)
        return reply

    raw, names = outcome(step, Scripted(answer))
    if reason == "name already there":
        assert names == list(TOPICS[:15])
    assert bad["name"].strip() not in names
    assert raw["refused"] == [{"call": "levers_1", "name": bad["name"], "reason": reason}]
    assert bad["name"] in [one["name"] for one in raw["responses"][0]["levers"]]


@pytest.mark.parametrize(
    "text", ["Pay in [2026].", "- [x] done", "Use a[0].", "See [\n] there.", "Open brackets [here"]
)
def test_placeholders_are_distinguished_from_other_brackets(text: str) -> None:
    """A lever is refused only for something that looks like a gap to be filled."""
    usable = UsableLevers()
    usable.add("levers_1", [ProposedLever(**lever("Oven", consequences=text))])
    assert len(usable.levers) == (0 if text == "Pay in [2026]." else 1)


def test_more_than_three_options_are_cut(step: IdentifyPotentialLevers) -> None:
    """The first three that hold something are kept."""
    many = lever("Oven", options=["", "A.", " B. ", "C.", "D."])
    usable = UsableLevers()
    usable.add("levers_1", [ProposedLever(**many)])
    assert usable.levers[0].options == ["A.", "B.", "C."]


def test_broken_lever_does_not_break_the_reply() -> None:
    """An item that is not a lever is dropped, and the complete ones stay."""
    broken = [None, "Oven", {"name": "Oven"}, lever("Oven", options="Buy, rent, wait")]
    reply = ProposedLevers.model_validate(said([*broken, *(lever(t) for t in TOPICS[:5])]))
    assert [one.name for one in reply.levers] == list(TOPICS[:5])


JAPANESE = ("窯の燃料", "停泊地", "小麦粉の仕入れ", "乗組員の構成", "価格の決め方")
ARABIC = ("وقود الفرن", "أماكن الرسو", "شراء الدقيق", "تكوين الطاقم", "تحديد الأسعار")
ENGLISH = ("Stove fuel", "Moorings", "Buying flour", "Crew", "Setting prices")


@pytest.mark.parametrize("names", [JAPANESE, ARABIC, ENGLISH], ids=["ja", "ar", "en"])
def test_languages_are_treated_alike(step: IdentifyPotentialLevers, names: tuple[str, ...]) -> None:
    """The same five levers in any language are kept, refused and repeated in the same way."""
    good = [lever(name, options=[f"{name}一", f"{name}二", f"{name}三"]) for name in names]
    bad = lever(f"{names[0]} {names[1]}", options=[names[0], names[1]])
    ask = Scripted(lambda _: said([*good, bad]))
    raw, accepted = outcome(step, ask)
    assert accepted == list(names)
    assert len(ask.calls) == 5
    reasons = [one["reason"] for one in raw["refused"]]
    assert reasons.count("fewer than three options") == 5
    assert reasons.count("name already there") == 20
    assert (
        json.loads(re.findall(r"<found>\n(.*?)\n</found>", ask.calls[1].user, re.DOTALL)[0])
        == accepted
    )
    assert names[0] in ask.calls[1].user


@pytest.mark.parametrize("gap", ["［数値］", "【数値】", "〔数値〕", "〖数値〗", "﹇数値﹈"])
def test_full_width_placeholder_is_refused(gap: str) -> None:
    """A gap to be filled is one in the brackets of any script."""
    usable = UsableLevers()
    usable.add("levers_1", [ProposedLever(**lever("窯", consequences=f"費用は{gap}増える。"))])
    assert usable.levers == []


def test_quoted_words_are_no_placeholder() -> None:
    """Quotation marks are not square brackets."""
    usable = UsableLevers()
    usable.add("levers_1", [ProposedLever(**lever("窯", consequences="「薪」か『電気』を選ぶ。"))])
    assert len(usable.levers) == 1


@pytest.mark.parametrize("index", ["L1", None, "1a", 1.5])
def test_odd_running_number_costs_nothing(index: Any) -> None:
    """A lever is whole without its number."""
    levers = [lever(t, lever_index=index) for t in TOPICS[:5]]
    assert len(ProposedLevers.model_validate(said(levers)).levers) == 5


def test_levers_have_ids_that_stay(step: IdentifyPotentialLevers) -> None:
    """The same replies give the same ids, all different."""
    first = carry_out(step, Scripted(five_each))[step.levers.name]
    second = carry_out(step, Scripted(five_each))[step.levers.name]
    assert first == second
    assert len({one.lever_id for one in first}) == 15


def test_raw_artifact_holds_what_was_sent(step: IdentifyPotentialLevers) -> None:
    """The system prompt and the user prompt of the first call stand in it."""
    ask = Scripted(five_each)
    raw, _ = outcome(step, ask)
    assert raw["system_prompt"] == LEVERS_SYSTEM_PROMPT
    assert raw["user_prompt"] == ask.calls[0].user


def test_prompt_shows_several_examples_of_different_build() -> None:
    """At least three reviews, from other fields, none of them beginning like another."""
    quoted = re.findall(r"^> (.*(?:\n(?!\n).*)*)", LEVERS_SYSTEM_PROMPT, re.MULTILINE)
    beginnings = {" ".join(example.split()[:2]) for example in quoted}
    assert len(quoted) >= 3
    assert len(beginnings) == len(quoted)
    assert len({example.count(",") + example.count(":") for example in quoted}) > 1


def test_descriptions_hold_content_and_length_only() -> None:
    """They are short, and no rule hides in them."""
    for model in (ProposedLever, ProposedLevers):
        for info in model.model_fields.values():
            assert info.description
            assert len(info.description.split()) <= 6


def test_instructions_name_the_known_problems() -> None:
    """Who optimizes the step reads what was learned about it."""
    instructions = identify_potential_levers.OPTIMIZE_INSTRUCTIONS
    for word in ("hard cap", "single example", "square brackets", "other languages", "percentages"):
        assert word in instructions


def test_recorded_replies_can_be_read(tmp_path: Path) -> None:
    """Replies that real models gave in recorded runs are replies of this step, all their levers."""
    pattern = re.compile(r"history/0/(0[1-5])_[^/]+/outputs/\d+_(silo|gta_game)/.*levers_raw\.json")
    count = 0
    with tarfile.open(shared("recorded", "history.tar.xz")) as archive:
        for member in archive:
            if member.name.startswith("history/0/06"):
                break
            if pattern.fullmatch(member.name):
                archive.extract(member, tmp_path, filter="data")
    for path in tmp_path.rglob("*levers_raw.json"):
        for reply in json.loads(path.read_text(encoding="utf-8"))["responses"]:
            parsed = ProposedLevers.model_validate(reply)
            assert len(parsed.levers) == len(reply["levers"])
            count += 1
    assert count >= 10
