"""The operators of PromptBreeder: the call each sends to a proposer, and the units it works on.

Five classes, as in the paper: direct mutation (zero_order, first_order), estimation of distribution
(population, ranked, lineage), hypermutation (hyper_zero, hyper_first), Lamarckian mutation
(lamarckian), and crossover and context shuffling, which follow the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, Field

from model_gateway.call import Call
from model_gateway.material import block, json_block
from self_improve import prompts
from self_improve.measures.similarity import earlier_twins
from self_improve.measures.text_groups import character_grams
from self_improve.search import population, proposer_calls
from self_improve.search.admission import unfenced
from self_improve.search.proposer_calls import Variant
from self_improve.search.trial import Case, Proposal, Scored, Texts, Trial

SECOND = "second"
"""The target that stands for the second task prompt; all others are searched surfaces."""

DIRECT = ("zero_order", "first_order")
DISTRIBUTION = ("population", "ranked", "lineage")
HYPER = ("hyper_zero", "hyper_first")
LAMARCKIAN = ("lamarckian",)

CONTEXTS = 2
LONGEST_MUTATION = 600
_ALIKE = 0.95
_SHOWN = 20
_LONGEST = 3000


class Mutation(BaseModel):
    """A mutation prompt."""

    mutation: str = Field(description="1 or 2 sentences.")


@dataclass(frozen=True, kw_only=True)
class Genes:
    """Two task prompts, a mutation prompt, contexts, and the best texts of the lineage.

    The first task prompt is the searched texts; the second follows the main one and may be empty.
    """

    texts: Texts
    mutation: str
    second: str = ""
    contexts: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()

    def text(self, target: str) -> str:
        """Return the text that an operator changes."""
        return self.second if target == SECOND else self.texts[target]

    def changed(self, target: str, text: str) -> Genes:
        """Return genes with another text for `target`."""
        clean = unfenced(text).strip("\n")
        if target == SECOND:
            return replace(self, second=clean)
        return replace(self, texts={**self.texts, target: clean})

    def admit(
        self, trial: Trial, operator: str, parents: Sequence[Proposal], change: str = ""
    ) -> Proposal | None:
        """Return a proposal with these genes, or None with the reason in the log."""
        main = proposer_calls.main_surface(trial)
        both = f"{self.texts[main].rstrip()}\n\n{self.second}" if self.second else self.texts[main]
        whole = {**self.texts, main: proposer_calls.with_quotes(both, self.contexts)}
        return trial.admit(
            whole, operator=operator, parents=parents, change=change[:300],
            demonstrations=self.contexts,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A member of the population."""

    genes: Genes
    scored: Scored

    def fitness(self, cases: Sequence[Case]) -> float:
        """Return the mean score on `cases`."""
        return self.scored.on(cases) or 0.0


@dataclass(frozen=True, kw_only=True)
class Birth:
    """A planned replication: which unit is copied over which loser, changed how and where.

    `loser` is an index into the population.
    """

    winner: Unit
    loser: int
    operator: str
    target: str
    mutation: str


def birth(trial: Trial, units: Sequence[Unit], winner: Unit, loser: int) -> Birth:
    """Draw an applicable operator, evenly, and the text that it changes."""
    usable = [*DIRECT, *HYPER]
    if len(units) > 1:
        usable += ["population", "ranked"]
    if winner.genes.lineage:
        usable.append("lineage")
    if proposer_calls.better_half(winner.scored.outcomes.values()):
        usable += LAMARCKIAN
    operator = trial.random.choice(usable)
    main = proposer_calls.main_surface(trial)
    target = trial.random.choice([*trial.searched, SECOND])
    seconds = sum(bool(unit.genes.second) for unit in units)
    empty = target == SECOND and operator != "zero_order" and not winner.genes.second
    if empty or operator in {"lineage", *LAMARCKIAN} or (target == SECOND and seconds < 2):
        target = main
    return Birth(
        winner=winner, loser=loser, operator=operator, target=target,
        mutation=winner.genes.mutation,
    )  # fmt: skip


def hyper(trial: Trial, one: Birth, key: str) -> Call[Mutation]:
    """Return the call for a new mutation prompt: from a style, or from the old one."""
    if one.operator == "hyper_zero":
        source = block("style", trial.random.choice(listed("styles")))
    else:
        source = block("mutation", one.mutation)
    return proposer_calls.question(
        key, "promptbreeder_hyper", proposer_calls.aims(trial), source, schema=Mutation
    )


def question(
    trial: Trial, units: Sequence[Unit], one: Birth, cases: Sequence[Case], key: str
) -> Call[Variant]:
    """Return the call for the new text of a birth."""
    if one.operator == "zero_order":
        return zero_order(trial, key, one.target, trial.random.choice(listed("styles")))
    if one.operator in {"first_order", *HYPER}:
        return first_order(trial, key, one.target, one.winner.genes.text(one.target), one.mutation)
    if one.operator == "lamarckian":
        good = proposer_calls.better_half(one.winner.scored.outcomes.values())
        return proposer_calls.question(
            key, "ape", proposer_calls.aims(trial),
            proposer_calls.demonstration_blocks(good, _LONGEST), _target_line(one.target),
            schema=Variant,
        )  # fmt: skip
    rows: list[dict[str, Any]]
    if one.operator == "lineage":
        rows = [{"text": text} for text in one.winner.genes.lineage[-_SHOWN:]]
        order = "The list is one line of descent, the best of their time, from the oldest on."
    elif one.operator == "ranked":
        ranked = sorted(unlike(units, one.target), key=lambda unit: unit.fitness(cases))
        rows = [
            {"text": unit.genes.text(one.target), "score": round(100 * unit.fitness(cases))}
            for unit in ranked[-_SHOWN:]
        ]
        order = "The list is in ascending order of quality."
    else:
        distinct = unlike(units, one.target)
        mixed = trial.random.sample(distinct, min(_SHOWN, len(distinct)))
        rows = [{"text": unit.genes.text(one.target)} for unit in mixed]
        order = "The list is in no order."
    return proposer_calls.question(
        key, "promptbreeder_population", proposer_calls.aims(trial), json_block("attempts", rows),
        f"{order} {_target_line(one.target)}", schema=Variant,
    )  # fmt: skip


def zero_order(trial: Trial, key: str, target: str, style: str) -> Call[Variant]:
    """Return the call for a text that is derived only from the purpose of the step."""
    return proposer_calls.question(
        key, "promptbreeder_zero", proposer_calls.aims(trial), block("style", style),
        _target_line(target),
        schema=Variant,
    )  # fmt: skip


def first_order(trial: Trial, key: str, target: str, text: str, mutation: str) -> Call[Variant]:
    """Return the call that applies a mutation prompt to a text."""
    return proposer_calls.question(
        key, "promptbreeder", proposer_calls.aims(trial), proposer_calls.prompt_block(target, text),
        block("mutation", mutation), schema=Variant,
    )  # fmt: skip


def crossed(trial: Trial, genes: Genes, units: Sequence[Unit], cases: Sequence[Case]) -> Genes:
    """Return genes one of whose task prompts is another unit's, by fitness."""
    target = trial.random.choice([*trial.searched, SECOND])
    mate = population.roulette(trial, [unit.scored for unit in units], cases)
    other = next(unit for unit in units if unit.scored is mate)
    return genes.changed(target, other.genes.text(target))


def shuffled(trial: Trial, genes: Genes, winner: Unit) -> Genes:
    """Return genes with newly drawn contexts from good outputs."""
    contexts = proposer_calls.demonstrations(winner.scored.outcomes.values())
    drawn = trial.random.sample(contexts, min(CONTEXTS, len(contexts)))
    return replace(genes, contexts=tuple(drawn))


def unlike(units: Sequence[Unit], target: str) -> list[Unit]:
    """Return the units whose texts are not nearly the same as an earlier one's.

    The source measures this by embeddings; here it is the share of common 4-grams of characters.
    """
    full = [unit for unit in units if unit.genes.text(target)]
    twins = earlier_twins(character_grams([unit.genes.text(target) for unit in full]), _ALIKE)
    return [unit for index, unit in enumerate(full) if index not in twins]


def listed(name: str) -> list[str]:
    """Return the initial mutation prompts ("mutations") or thinking styles ("styles")."""
    lines = prompts.read(f"promptbreeder_{name}").splitlines()
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]


def _target_line(target: str) -> str:
    if target == SECOND:
        return "Write a text of 1 to 3 sentences that is put behind the one that is there."
    return f"Write the whole text with the id {target}."
