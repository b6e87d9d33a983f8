"""Each rule moves what it is said to move, in the documented direction."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from statistics import mean
from typing import Any

import pytest

from model_gateway.providers.simulated import rules
from model_gateway.providers.simulated.persona import PERSONAS
from model_gateway.providers.simulated.rules import Rules
from tests.model_gateway.simulated.conftest import (
    SYSTEM,
    a_model,
    a_request,
    block,
    json_block,
    replies,
)
from tests.model_gateway.simulated.plan_texts import ENGLISH

ONE = '\n\n`review_lever`: "Ask who holds the key, then see that nobody was told."'
SAME_OPENER = (
    ONE + ' "Ask who holds the ladder: it was lent out." "Ask who holds the lease once more!"'
)
DIFFERENT = (
    ONE + ' "Three of these need rain!" "Why would a baker, who sleeps at noon and works alone, '
    'come to the meeting at all; and who would then sweep the yard after the last of the carts?"'
)
FILLER = "\n".join(
    f"Weigh the matter again and again before it is said{'.' * 1}" for _ in range(90)
)


def levers(persona: str, system: str = SYSTEM, **changes: Any) -> list[dict[str, Any]]:
    """Return the levers of many cells; an option not of `replies` is a trait of the persona."""
    strengths = changes.pop("strengths", None)
    names = {"user", "cells", "more", "number"} & changes.keys()
    options = {name: changes.pop(name) for name in names}
    model = a_model(persona, strengths, **changes)
    return [lever for reply in replies(model, system, **options) for lever in reply["levers"]]


def share(seen: list[dict[str, Any]], has: Callable[[dict[str, Any]], object]) -> float:
    """Return the share of levers that have something."""
    return mean(bool(has(lever)) for lever in seen)


def opens(text: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a lever's review begins like an example."""
    return lambda lever: str(lever["review_lever"]).startswith(text)


def words(text: str) -> int:
    """Return the number of words."""
    return len(text.split())


def invented(lever: dict[str, Any]) -> bool:
    """Say whether a lever holds a percentage that is not the plan's only one."""
    return any(n != "20%" for n in re.findall(r"\d+%", json.dumps(lever)))


def test_r1_lone_example_is_copied_and_several_much_less() -> None:
    """One example locks a weak model; others with the same opener change nothing."""
    alone = share(levers("weak", SYSTEM + ONE), opens("Ask who holds"))
    alike = share(levers("weak", SYSTEM + SAME_OPENER), opens("Ask who"))
    varied = share(levers("weak", SYSTEM + DIFFERENT), opens("Ask who"))
    nothing = share(levers("weak"), opens("Ask who"))
    assert alone > 0.7
    assert alike > 0.7
    assert varied < 0.15
    assert nothing == 0


def test_r1_example_belongs_to_the_field_named_before_it() -> None:
    """Other fields do not copy it; without a name every long field does."""
    named = levers("parrot", SYSTEM + ONE)
    assert not any(lever["consequences"].startswith("Ask who") for lever in named)
    unnamed = levers("parrot", SYSTEM + ONE.replace("`review_lever`: ", ""))
    assert share(unnamed, lambda lever: lever["consequences"].startswith("Ask who")) > 0.7


@pytest.mark.parametrize(
    "form", ["\n\n`review_lever`\n> {}", "\n\n`review_lever`:\n```\n{}\n```",
             "\n\n`review_lever` \u201e{}\u201c", "\n\n`review_lever` \u300c{}\u300d"],
)  # fmt: skip
def test_r1_knows_examples_by_their_form(form: str) -> None:
    """Block quotes, fences and the quotation marks of other languages hold examples as well."""
    system = SYSTEM + form.format("Ask who holds the key, then see that nobody was told.")
    assert share(levers("parrot", system, cells=30), opens("Ask who")) > 0.8


def test_r1_falls_off_with_the_number_of_structures() -> None:
    """The chance is the persona's, divided by the number of structures to the power 1.5."""
    chances = [rules.copy_chance(Rules(), 0.8, m) for m in (1, 2, 4)]
    assert chances == pytest.approx([0.8, 0.8 / 2**1.5, 0.1])
    assert rules.copy_chance(Rules(), 0.8, 0) == 0


def test_r2_forbidden_phrase_is_copied_the_more_often_the_more_it_is_said() -> None:
    """A short quoted phrase turns up in items though the prompt forbids it."""

    def says(lever: dict[str, Any]) -> bool:
        return "Golden Rule" in json.dumps(lever)

    once = share(levers("parrot", SYSTEM + ' Never "Golden Rule".', cells=150), says)
    thrice = share(levers("parrot", SYSTEM + ' Never "Golden Rule".' * 3, cells=150), says)
    assert 0.05 < once < 0.11
    assert once + 0.06 < thrice < 0.28
    assert share(levers("parrot", SYSTEM + " Never Golden Rule."), says) == 0


def test_r3_placeholders_leak_literally() -> None:
    """A span in square brackets turns up as it is."""
    seen = levers("weak", SYSTEM + " Say [who pays].", cells=150, placeholder=0.05)
    assert 0.02 < share(seen, lambda lever: "[who pays]" in json.dumps(lever)) < 0.09


def test_r4_percentages_in_the_prompt_are_echoed_by_invented_ones() -> None:
    """A percent sign in the prompt raises the share of levers with figures of their own."""
    before = share(levers("inventive"), invented)
    after = share(levers("inventive", SYSTEM + " Say what grows by 30%."), invented)
    assert 0.05 < before < 0.4
    assert after > before + 0.3


def test_r4_plans_own_percentages_are_no_inventions() -> None:
    """An invented figure is never one that the plan holds."""
    plan = "Keep at least 12% of the beds free. " + ", ".join(f"{n}%" for n in range(5, 95, 2))
    seen = levers("inventive", SYSTEM + " About 30%.", user=block("plan", plan), cells=5)
    in_plan = {f"{n}%" for n in [12, *range(5, 95, 2)]}
    added = [n for lever in seen for n in re.findall(r"(?<![\d,] )\b(\d+%)(?=[.\"])", str(lever))]
    assert any(n not in in_plan for n in added)


def test_r5_length_follows_the_examples() -> None:
    """Longer examples give longer texts, times the persona's verbosity."""
    short = '\n\n`consequences`: "Rents go up, stalls go." "Bread first; tools later follow."'
    long = (
        f'\n\n`consequences`: "{"one thing and then the next " * 12}." "{"so it goes on " * 18}!"'
    )
    lengths = {
        (name, text): mean(
            words(one["consequences"]) for one in levers(name, SYSTEM + text, cells=30)
        )
        for name in ("strong", "verbose")
        for text in (short, long)
    }
    assert lengths["strong", long] > 2.5 * lengths["strong", short]
    assert lengths["verbose", long] > 1.6 * lengths["strong", long]


def test_r5_length_follows_a_numeral_without_examples() -> None:
    """Numerals beside the field count sentences up to 9, and words above."""
    few = mean(
        words(one["consequences"]) for one in levers("strong", SYSTEM + "\n`consequences`: 1.")
    )
    many = mean(
        words(one["consequences"]) for one in levers("strong", SYSTEM + "\n`consequences`: 60.")
    )
    assert few < 25
    assert 45 < many < 75


@pytest.mark.parametrize(
    ("persona", "low", "high"),
    [("strong", 5.7, 6.3), ("terse", 4.6, 5.4), ("eager", 7.2, 8.6), ("weak", 6.2, 7.6)],
)
def test_r6_counts_are_kept_in_the_personas_way(persona: str, low: float, high: float) -> None:
    """Of 5 to 7 the terse take the lower end, the eager more than the upper one."""
    system = SYSTEM.replace("Give 6 levers", "Give 5 to 7 levers")
    counts = [len(reply["levers"]) for reply in replies(a_model(persona), system)]
    assert low < mean(counts) < high


@pytest.mark.parametrize("numeral", ["9", "\u0669", "\uff19", "\u096f"])
def test_r6_numerals_of_any_script_count(numeral: str) -> None:
    """Nine is nine in Arabic, full-width and Devanagari digits too."""
    system = SYSTEM.replace("Give 6 levers", f"Give {numeral} levers")
    counts = [len(r["levers"]) for r in replies(a_model(), system, cells=20)]
    assert 8.5 < mean(counts) < 9.5


def test_r6_numeral_belongs_to_the_name_in_its_clause() -> None:
    """Four options are asked for by name; the levers keep their own numeral."""
    system = SYSTEM.replace("exactly 3 `options`", "exactly 4 `options`")
    seen = levers("strong", system, cells=30)
    assert 3.9 < mean(len(lever["options"]) for lever in seen) <= 4
    assert 5.5 < len(seen) / 30 < 6.5


def test_r7_long_replies_break_off() -> None:
    """A reply over the limit is cut there and says so; a weak model's limit is lower."""
    long = SYSTEM.replace("Give 6 levers", "Give 38 levers")
    weak = a_model("weak").answer(a_request(long))
    strong = a_model("strong").answer(a_request(long))
    assert (weak.finish_reason, strong.finish_reason) == ("length", "stop")
    assert weak.output_tokens == 3000
    cut = a_model("strong").answer(a_request(most=100))
    assert (cut.finish_reason, cut.output_tokens) == ("length", 100)
    assert rules.output_limit(Rules(), 3000, 0.25, 48) < rules.output_limit(Rules(), 3000, 0.25, 12)


def test_r8_repeating_a_demand_prevents_slips() -> None:
    """Three statements about the options leave fewer short of one than a single one."""

    def few(lever: dict[str, Any]) -> bool:
        return len(lever["options"]) < 3

    stated = SYSTEM + " The `options` are 3. `options`: 3."
    once = share(levers("weak", cells=100, missing=0.5), few)
    often = share(levers("weak", stated, cells=100, missing=0.5), few)
    assert once > often + 0.05


def test_r8_names_found_already_are_avoided() -> None:
    """A list of names in the material keeps later calls from giving them again."""
    common = [lever["name"] for lever in levers("weak", repeat=1.0, cells=40, heed=0.0)]
    listed = json_block("found", sorted(set(common)))
    user = block("plan", ENGLISH)

    def is_common(lever: dict[str, Any]) -> bool:
        return lever["name"] in common

    without = share(levers("weak", user=user, repeat=0.5), is_common)
    with_list = share(levers("weak", user=f"{user}\n\n{listed}", repeat=0.5), is_common)
    assert without > with_list + 0.2


def test_r8_guidance_in_the_follow_up_prevents_slips() -> None:
    """The same demands once more beside the material leave fewer short options."""
    user = block("plan", ENGLISH)
    again = f"{user}\n\nGive others. Mind the `options`. Let each `options` be whole. Stay plain."

    def short(lever: dict[str, Any]) -> bool:
        return any(words(option) < 4 for option in lever["options"])

    plain = share(levers("weak", user=user, short=0.3, cells=100), short)
    reminded = share(levers("weak", user=again, short=0.3, cells=100), short)
    assert plain > reminded + 0.08


def test_r9_long_prompts_are_obeyed_less() -> None:
    """Ninety clauses of padding bring a weak model's counts back towards its own."""
    asked = SYSTEM.replace("Give 6 levers", "Give 12 levers")
    short = [len(r["levers"]) for r in replies(a_model("weak", output_limit=30_000), asked)]
    padded = asked + "\n" + FILLER
    long = [len(r["levers"]) for r in replies(a_model("weak", output_limit=30_000), padded)]
    assert mean(short) > mean(long) + 2


def test_r9_each_persona_has_its_own_best_length() -> None:
    """Obedience rises and falls with the length of the prompt, for each persona elsewhere."""
    best = {}
    for name, persona in PERSONAS.items():
        curve = [
            rules.obedience(Rules(), n, persona.attention, persona.guidance) for n in range(1, 200)
        ]
        best[name] = curve.index(max(curve)) + 1
        assert 5 < best[name] < 100
        assert curve[0] < 0.3
        assert curve[-1] < 0.3
    assert len(set(best.values())) == len(best)
    assert best["weak"] < best["strong"] < best["verbose"]


def test_r10_faults_of_format_are_fewer_on_a_retry() -> None:
    """After a complaint the flaky model sends plain JSON more often."""
    model = a_model("flaky")

    def faulty(number: int) -> float:
        complaint = (
            {"role": "assistant", "content": "{"},
            {"role": "user", "content": "Send it again."},
        )
        more = complaint if number > 1 else ()
        answers = [model.answer(a_request(seed=s, number=number, more=more)) for s in range(100)]
        return mean(not answer.text.startswith("{") for answer in answers)

    assert faulty(1) > 0.3
    assert faulty(1) > faulty(2) + 0.15


def test_r10_schema_is_echoed_only_when_it_stands_in_the_prompt() -> None:
    """A server without schemas gets it as text, and some models send it back."""
    model = a_model("flaky", echo=0.5, fence=0, prose=0, broken=0)
    schema = json.dumps(a_request().schema)
    with_schema = f"{SYSTEM}\n\nReply with JSON like this:\n{schema}"

    def echoes(system: str) -> float:
        answers = [model.answer(a_request(system, seed=s)) for s in range(60)]
        return mean('"properties"' in answer.text for answer in answers)

    assert echoes(with_schema) > 0.3
    assert echoes(SYSTEM) == 0


def test_flipped_rules_turn_the_landscape_round() -> None:
    """With the signs flipped several examples are copied more than one, and phrases never leak."""
    flipped = Rules(copy_falloff=-1.5, leak=-1)
    one = share(levers("strong", SYSTEM + ONE, strengths=flipped), opens("Ask who"))
    alike = rules.copy_chance(flipped, 0.3, 2.0)
    assert one < 0.5 < alike
    assert rules.leak_chance(flipped, 0.5, 3) == 0
    assert Rules().flipped().flipped() == Rules()


def test_obedience_makes_clauses_interact() -> None:
    """The same statement prevents more slips in a prompt of good length than in a long one."""

    def slips(clauses: int, statements: int) -> float:
        obedience = rules.obedience(Rules(), clauses, 42, 6)
        return rules.slip_chance(Rules(), 0.2, heed=0.8, statements=statements, obedience=obedience)

    assert slips(20, 0) - slips(20, 2) > 2 * (slips(80, 0) - slips(80, 2))
