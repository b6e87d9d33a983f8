"""How a simulated model responds to a prompt: each rule is a pure function, its sign an argument.

The formulas are the ground truth on which optimizers are compared; docs/simulated_model.md
describes them. Nothing that proposes or judges prompts may read this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The sign and strength of every rule; a benchmark may change them, a test may flip them."""

    copy: float = 1.0
    copy_falloff: float = 1.5
    habit: float = 1.0
    habit_falloff: float = 1.0
    leak: float = 1.0
    placeholder: float = 1.0
    invent: float = 1.0
    mirror: float = 1.0
    keep: float = 1.0
    overshoot: float = 1.0
    strain: float = 1.0
    slips: float = 1.0
    heed: float = 1.0
    emphasis: float = 0.5
    dilution: float = 3.0
    guidance: float = 1.0
    faults: float = 1.0
    retry: float = 0.35

    def flipped(self) -> Self:
        """Return the rules with every sign flipped."""
        return replace(self, **{f.name: -getattr(self, f.name) for f in fields(self)})


def within(value: float) -> float:
    """Return `value` as a probability."""
    return min(1.0, max(0.0, value))


def copy_chance(rules: Rules, copy: float, structures: float) -> float:
    """R1: how likely an item has the sentence pattern of an example.

    `structures` is the number of structurally different examples; with none, nothing is copied.
    """
    if structures <= 0:
        return 0.0
    falloff: float = structures**rules.copy_falloff
    return within(rules.copy * copy / falloff)


def habit_chance(rules: Rules, habit: float, structures: float) -> float:
    """R1: how likely a text begins with the model's favourite opener; examples make that rarer."""
    falloff: float = (1 + structures) ** rules.habit_falloff
    return within(rules.habit * habit / falloff)


def leak_chance(rules: Rules, leak: float, occurrences: int) -> float:
    """R2: how likely a short quoted phrase appears in an item, forbidden or not."""
    return within(rules.leak * (1 - (1 - leak) ** occurrences))


def placeholder_chance(rules: Rules, placeholder: float, spans: int) -> float:
    """R3: how likely an item holds a bracketed span of the prompt verbatim."""
    return within(rules.placeholder * (1 - (1 - placeholder) ** min(spans, 4)))


def invent_chance(rules: Rules, base: float, invent: float, percents: int) -> float:
    """R4: how likely a sentence holds a percentage that is not in the plan."""
    return within(base + rules.invent * (1 - (1 - invent) ** percents))


def focus(rules: Rules, clauses: int, attention: float) -> float:
    """R9: how much of a prompt of `clauses` clauses has an effect; half at `attention`."""
    if clauses <= 0:
        return 1.0
    load: float = (clauses / attention) ** rules.dilution
    return 1 / (1 + load)


def obedience(rules: Rules, clauses: int, attention: float, guidance: float) -> float:
    """R9: how far a model follows its prompt: focus, times the guidance in the prompt.

    It is highest at a prompt length that depends on the persona, and falls towards both ends.
    """
    guided = within(rules.guidance * (1 - math.exp(-clauses / guidance)))
    return focus(rules, clauses, attention) * guided


def emphasis(rules: Rules, statements: float) -> float:
    """R8: the weight of a demand that is stated `statements` times, with diminishing returns."""
    unheard: float = (1 - rules.emphasis) ** statements
    return min(1.0, 1 - unheard)


def slip_chance(
    rules: Rules, base: float, *, heed: float, statements: float, obedience: float
) -> float:
    """R8: how likely a slip is: the persona's rate, less what emphasis and obedience prevent."""
    prevented = rules.heed * heed * emphasis(rules, statements) * obedience
    return within(rules.slips * base * (1 - prevented))


def towards(strength: float, usual: float, asked: float, focus: float) -> float:
    """R5, R6: the persona's usual value, pulled towards the requested one."""
    return usual + strength * math.sqrt(focus) * (asked - usual)


def output_limit(rules: Rules, limit: int, strain: float, places: int) -> int:
    """R7: where a reply breaks off, in tokens; a long schema lowers it for weak models.

    `places` is the number of nodes of the schema; the first 12 cost nothing.
    """
    weight = 1 + rules.strain * strain * max(0, places - 12) / 12
    return max(64, int(limit / max(0.1, weight)))


def fault_chance(rules: Rules, base: float, focus: float, turns: int) -> float:
    """R10: how likely a reply has a fault of format, less so after each complaint."""
    return within(rules.faults * base * (2 - focus) * abs(rules.retry) ** turns)
