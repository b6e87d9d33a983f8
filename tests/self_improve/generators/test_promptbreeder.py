"""PromptBreeder evolves prompts by prompts that evolve."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from model_gateway.call import Call
from self_improve.generators import promptbreeder_operators
from self_improve.generators.promptbreeder import PromptBreeder
from self_improve.generators.promptbreeder_operators import (
    DIRECT,
    DISTRIBUTION,
    HYPER,
    LAMARCKIAN,
    SECOND,
    Birth,
    Genes,
    Mutation,
    Unit,
)
from self_improve.search.trial import Case
from tests.self_improve.scripted_search import CASES, START, SURFACE, filled, helpful, shown


def population(scripted: Any, *texts: str, **changes: Any) -> list[Unit]:
    """Return scored units whose first task prompts are these."""
    genes = [
        Genes(texts={SURFACE: text}, mutation=f"Mutate {text}.", second=f"Second of {text}.")
        for text in texts
    ]
    units = []
    for parents in genes:
        proposal = parents.admit(scripted, "by hand", [scripted.baseline])
        [scored] = asyncio.run(scripted.score([proposal], CASES))
        units.append(Unit(genes=replace(parents, **changes), scored=scored))
    return units


def steep(text: str, case: Case) -> float:
    """A landscape whose top is far away."""
    return min(1.0, 0.2 + 0.02 * text.count("once"))


def asked(scripted: Any, units: list[Unit], operator: str, target: str = SURFACE) -> Call[Any]:
    """Return the call that an operator makes for the first unit."""
    one = Birth(winner=units[0], loser=1, operator=operator, target=target, mutation="Mutate so.")
    return promptbreeder_operators.question(scripted, units, one, CASES, "key")


def listed(call: Call[Any]) -> list[Any]:
    """Return the list that a call shows."""
    return json.loads(re.search(r"<attempts>\n(.*?)\n</attempts>", call.user, re.DOTALL)[1])


@pytest.fixture
def scripted(search) -> Any:
    """Return a trial."""
    return search(helpful)


def test_all_classes_of_operators_are_used(search) -> None:
    """Over one search; crossover and context shuffling follow after others."""
    used: set[str] = set()
    for seed in (1, 2):
        result = asyncio.run(search(helpful, steep, seed=seed, cells=2000).run(PromptBreeder()))
        for one in result.scored:
            used |= set(one.proposal.operator.split(", "))
    assert used >= {*DIRECT, *DISTRIBUTION, *HYPER, *LAMARCKIAN, "crossover", "context shuffling"}


def test_zero_order_sees_the_task_and_no_text(scripted) -> None:
    """First-order mutation sees the text and the mutation prompt."""
    units = population(scripted, "Name it once.", "Name it.")
    assert "Name it once" not in asked(scripted, units, "zero_order").user
    first = asked(scripted, units, "first_order")
    assert shown(first) == [(SURFACE, "Name it once.")]
    assert "Mutate so." in first.user


def test_second_task_prompt_is_mutated_too(scripted) -> None:
    """It stands behind the first in what is sent."""
    units = population(scripted, "Name it once.", "Name it.")
    assert shown(asked(scripted, units, "first_order", SECOND)) == [
        (SECOND, "Second of Name it once..")
    ]
    assert units[0].scored.proposal.texts[SURFACE].startswith("Name it once.\n\nSecond of")


def test_distribution_is_estimated_over_the_population(scripted) -> None:
    """Unordered, in ascending order with scores, and without near-duplicates."""
    texts = ["Say it once, once.", "Name every mooring you can find by its harbour once",
             "Name every mooring you can find by its harbour once.", "Nothing."]  # fmt: skip
    units = population(scripted, *texts)
    plain = listed(asked(scripted, units, "population"))
    assert {row["text"] for row in plain} == {texts[0], texts[1], texts[3]}
    ranked = listed(asked(scripted, units, "ranked"))
    assert [row["score"] for row in ranked] == sorted(row["score"] for row in ranked)
    assert ranked[-1]["text"] == texts[0]


def test_distribution_is_estimated_over_the_lineage(scripted) -> None:
    """In the order in which the elites came."""
    units = population(scripted, "Name it once.", lineage=("oldest", "older", "now"))
    assert [row["text"] for row in listed(asked(scripted, units, "lineage"))] == [
        "oldest", "older", "now",
    ]  # fmt: skip


def test_lamarckian_infers_from_worked_successes(scripted) -> None:
    """Plan and output of the unit's better half, and no prompt."""
    units = population(scripted, "Name it once.")
    call = asked(scripted, units, "lamarckian")
    assert "by the water" in call.user
    assert "Brindle Quay" in call.user
    assert "Name it once" not in call.user


def test_hypermutation_changes_the_mutation_prompt(scripted) -> None:
    """From a thinking style alone, or from the old mutation prompt."""
    units = population(scripted, "Name it once.")
    one = Birth(winner=units[0], loser=0, operator="hyper_zero", target=SURFACE, mutation="Old.")
    assert "Old." not in promptbreeder_operators.hyper(scripted, one, "k").user
    assert "<style>" in promptbreeder_operators.hyper(scripted, one, "k").user
    first = promptbreeder_operators.hyper(scripted, replace(one, operator="hyper_first"), "k")
    assert "Old." in first.user


def test_mutation_prompts_evolve_and_are_used(search) -> None:
    """A new one is applied at once, and handed down."""

    def answer(role: str, call: Call[Any]) -> Any:
        if call.schema is Mutation:
            return {"mutation": f"Mutation of {call.key}."}
        return helpful(role, call)

    trial = search(answer, cells=1500)
    asyncio.run(trial.run(PromptBreeder()))
    used: dict[str, set[str]] = {}
    for _, call in trial.counsel.log:
        result = re.search(r"<mutation>\nMutation of (generation_\d+/\d+)/hyper", call.user)
        if result and call.schema is not Mutation:
            used.setdefault(result[1], set()).add(call.key)
    assert any(scripted in keys for scripted, keys in used.items())
    assert any(len(keys) > 1 for keys in used.values())


def test_useless_mutation_prompts_are_not_used(search, rows) -> None:
    """Empty or endless ones leave the old in place."""
    for said in ("", "word " * 40_000):
        trial = search(lambda r, c, s=said: filled(c, s) if c.schema is Mutation else helpful(r, c))
        asyncio.run(trial.run(PromptBreeder()))
        assert max(len(call.user) for _, call in trial.counsel.log) < 30_000
    assert any("mutation prompt of 0 characters" in row.get("text", "") for row in rows)


def test_mutated_winner_overwrites_the_loser(search) -> None:
    """The winner stays as it was."""
    trial = search(helpful)
    units = population(trial, "Say it once.", "Nothing.")
    winner, loser = units
    born = asyncio.run(PromptBreeder()._generation(trial, units, CASES, 1, 1))
    assert born == 1
    assert units[0] is winner
    assert units[1] is not loser
    assert units[1].scored.proposal.parents == (winner.scored.proposal.id,)


def test_refused_child_overwrites_nobody(search) -> None:
    """The population keeps its size and its members."""
    trial = search(lambda role, call: filled(call, "```\nName"))
    units = population(trial, "Say it once.", "Nothing.")
    before = list(units)
    assert asyncio.run(PromptBreeder()._generation(trial, units, CASES, 1, 1)) == 0
    assert units == before


def test_crossover_takes_a_task_prompt_of_a_fit_unit(scripted) -> None:
    """Of a unit that scores nothing nothing is taken."""
    units = population(scripted, "Say it once.", "Nothing.")
    genes = Genes(texts={SURFACE: START}, mutation="m")
    got = [promptbreeder_operators.crossed(scripted, genes, units[:1], CASES) for _ in range(20)]
    assert {g.texts[SURFACE] for g in got} == {START, "Say it once."}
    assert {g.second for g in got} == {"", "Second of Say it once.."}


def test_contexts_are_quoted_and_declared(scripted) -> None:
    """They are texts that the winner made the step write."""
    [unit] = population(scripted, "Say it once, once.")
    genes = promptbreeder_operators.shuffled(scripted, unit.genes, unit)
    assert genes.contexts
    proposal = genes.admit(scripted, "by hand", [])
    assert f"\n> {genes.contexts[0]}" in proposal.texts[SURFACE]


def test_elites_enter_their_line_of_descent(search) -> None:
    """What was best when a generation began is remembered, and inherited."""
    trial = search(helpful, steep, cells=2000)
    asyncio.run(trial.run(PromptBreeder()))
    lines = [
        [row["text"] for row in listed(call)]
        for _, call in trial.counsel.log
        if "line of descent" in call.user
    ]
    assert lines
    for line in lines:
        counts = [text.count("once") for text in line]
        assert counts == sorted(counts)


def test_first_units_have_mutations_styles_and_partly_second_prompts(search) -> None:
    """The baseline is one of them, as it is."""
    trial = search(helpful)
    asyncio.run(trial.run(PromptBreeder()))
    first = [c for _, c in trial.counsel.log if c.key.startswith("initial/")]
    firsts = [c for c in first if c.key.endswith("/first")]
    assert all("<mutation>" in call.user for call in firsts)
    assert len(first) == len(firsts) + len(firsts) // 2
    assert len(promptbreeder_operators.listed("mutations")) >= 10
    assert len(promptbreeder_operators.listed("styles")) >= 10
